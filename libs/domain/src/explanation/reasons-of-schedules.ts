/** How the events of a schedule are told. */
import type { ReasonsOf } from './reason.js';

export const reasonsOfSchedules: ReasonsOf<'schedule'> = {
  ScheduleCreated: [
    {
      reason: 'schedule-created-paused-because',
      sentence: '{actor} made the schedule, and paused it for this reason: {because} {definition}',
      holds: ({ paused }, { reason }) => paused && reason !== undefined,
    },
    {
      reason: 'schedule-created-paused',
      sentence: '{actor} made the schedule, and paused it. {definition}',
      holds: ({ paused }) => paused,
    },
    { reason: 'schedule-created', sentence: '{actor} made the schedule. {definition}' },
  ],
  ScheduleUpdated: [
    {
      reason: 'schedule-changed-paused-because',
      sentence: '{actor} changed the schedule, and it is paused for this reason: {because} {definition}',
      holds: ({ paused }, { reason }) => paused && reason !== undefined,
    },
    {
      reason: 'schedule-changed-paused',
      sentence: '{actor} changed the schedule, and it is paused. {definition}',
      holds: ({ paused }) => paused,
    },
    { reason: 'schedule-changed', sentence: '{actor} changed the schedule. {definition}' },
  ],
  ScheduleDeleted: [
    {
      reason: 'schedule-deleted',
      sentence: '{actor} deleted the schedule. It runs no more, and the backups that it made stay.',
    },
  ],
};

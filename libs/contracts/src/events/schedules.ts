/** The events of schedules. What becomes of their slots is told by the events of backups. */
import { z } from 'zod';
import { uuid } from '../primitives.js';
import { copyTo, dayOfWeek, fullBackupRetention, hour, minute } from '../schedule-timing.js';

const scheduleDefinition = {
  dayOfWeek,
  hour,
  minute,
  fullBackupRetention,
  copyTo,
  paused: z.boolean(),
};

export const scheduleEvents = {
  /** A schedule was created. It fires its first slot at the next time that it names. */
  ScheduleCreated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** Holds the complete definition that is in force from now on. */
  ScheduleUpdated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** The backups that the schedule made stay. */
  ScheduleDeleted: z.strictObject({ scheduleId: uuid, instanceId: uuid }),
} as const;

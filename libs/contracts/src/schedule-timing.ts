/** The fields of a schedule that events, requests and views have in common: when it runs and what it keeps. */
import { z } from 'zod';
import { regionName } from './primitives.js';

/** 0 (Sunday) to 6: the day of the full backup; 7: a full backup every day. Never given to a cron parser, where 7 is Sunday. */
export const dayOfWeek = z.int().min(0).max(7);
export const hour = z.int().min(0).max(23);
export const minute = z.int().min(0).max(59);
/** How many full backups of a schedule are kept. */
export const fullBackupRetention = z.int().min(1).max(10_000);

/** The regions that each successful backup is copied to, in the order the client gave them. */
export const copyTo = z.array(regionName).refine((regions) => new Set(regions).size === regions.length, {
  error: 'must not name a region twice',
});

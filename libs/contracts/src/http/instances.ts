/** Instances over HTTP: an existing database server is registered with how to reach it, and shown without its password. */
import { z } from 'zod';
import { datastoreType } from '../primitives.js';
import { integer, links, optional, utcTime } from './fields.js';
import { scheduleResource } from './schedules.js';

const text = (most: number) =>
  z
    .string({ error: `must be a string of 1 to ${most} characters` })
    .min(1, { error: `must have 1 to ${most} characters` })
    .max(most, { error: `must have 1 to ${most} characters` })
    .refine((value) => !/\p{Cc}/u.test(value), { error: 'must not have control characters' });

export const registerInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name: text(255),
    datastore: z.strictObject({
      type: datastoreType,
      version: text(32),
    }),
    connection: z.strictObject({
      host: text(255),
      port: integer(1, 65_535),
      user: text(63),
      /** Kept sealed; in no answer, event or log. */
      password: z.string({ error: 'must be a string' }).max(1_024),
      database: optional(text(63)),
      tls: optional(
        z.enum(['disable', 'require', 'verify-full'], { error: 'must be "disable", "require" or "verify-full"' }),
      ),
    }),
  }),
});
export type RegisterInstanceRequest = z.output<typeof registerInstanceRequest>['instance'];

export const instanceResource = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['ACTIVE', 'BACKUP']),
  datastore: z.object({ type: z.string(), version: z.string() }),
  flavor: z.object({ id: z.literal('0'), links }),
  volume: z.object({ size: z.int() }),
  hostname: z.string(),
  port: z.int(),
  created: utcTime,
  updated: utcTime,
  schedule: scheduleResource.nullable(),
  links,
});
export type InstanceResource = z.infer<typeof instanceResource>;

export const instanceResponse = z.object({ instance: instanceResource });
export const instancesResponse = z.object({ instances: z.array(instanceResource), links });

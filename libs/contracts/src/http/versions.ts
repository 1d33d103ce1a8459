/** The versions of the API, and the regions of the deployment. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { link } from './fields.js';

export const apiVersion = 'v1.0';

const version = z.object({
  id: z.literal(apiVersion),
  status: z.literal('CURRENT'),
  updated: z.string(),
  links: z.array(link),
});
export const versionsResponse = z.object({ versions: z.array(version) });
export const versionResponse = z.object({ version });

export const regionsResponse = z.object({
  regions: z.array(z.object({ name: regionName, home: z.boolean(), copies: z.boolean() })),
});

/**
 * Names what this version can read of the ledger. Two processes with the same name read the same events, whatever else differs
 * between them. What one of them can't read, the other can't read either.
 */
import { createHash } from 'node:crypto';
import { eventSchemas } from '@strongroom/contracts';
import { z } from 'zod';

export const thisReader = createHash('sha256')
  .update(JSON.stringify(Object.entries(eventSchemas).map(([type, schema]) => [type, z.toJSONSchema(schema)])))
  .digest('hex')
  .slice(0, 16);

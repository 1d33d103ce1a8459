/**
 * The keys of a store: from the file that the vault's address names, else from where the SDK looks, the environment first. A file
 * that is changed counts from the next request on.
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Address } from '@strongroom/contracts';
import { z } from 'zod';
import { keysIn } from '../object/key-file.js';

const keys = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
});
const form = 'a JSON object with accessKeyId, secretAccessKey and, where there is one, sessionToken';

export function credentialsOf({ credentialsFile }: S3Address): Pick<S3ClientConfig, 'credentials'> {
  if (credentialsFile === undefined) return {};
  return {
    credentials: async () => {
      const { sessionToken, ...plain } = await keysIn(credentialsFile, keys, form);
      // The SDK asks again for keys that are about to expire, and these always are.
      return { ...plain, ...(sessionToken && { sessionToken }), expiration: new Date(Date.now() + 1_000) };
    },
  };
}

/**
 * The keys of a store: from the file that the vault's address names, else from where the SDK looks, the environment first. A file
 * that is changed counts from the next request on.
 */
import { readFile } from 'node:fs/promises';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { Fault, messageOf, type S3Address } from '@strongroom/contracts';
import { z } from 'zod';

const keys = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
});
const form = 'a JSON object with accessKeyId, secretAccessKey and, where there is one, sessionToken';

/** There are no keys to sign with. The message says what to do, and shows none. */
export class CredentialsFault extends Fault<'keys-missing'> {
  override readonly name = 'CredentialsFault';

  constructor(message: string) {
    super('keys-missing', false, message);
  }
}

export function credentialsOf({ credentialsFile }: S3Address): Pick<S3ClientConfig, 'credentials'> {
  if (credentialsFile === undefined) return {};
  return {
    credentials: async () => {
      const { sessionToken, ...plain } = await keysIn(credentialsFile);
      // The SDK asks again for keys that are about to expire, and these always are.
      return { ...plain, ...(sessionToken && { sessionToken }), expiration: new Date(Date.now() + 1_000) };
    },
  };
}

async function keysIn(file: string): Promise<z.infer<typeof keys>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CredentialsFault(`its file of keys can't be read: ${messageOf(error)}`);
  }
  const found = keys.safeParse(parsed(text));
  if (found.success) return found.data;
  throw new CredentialsFault(`its file of keys, ${file}, must hold ${form}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

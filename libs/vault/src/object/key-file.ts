/** The keys of a store in a file that the vault's address names. It is read for each request, so a file that is changed counts at once. */
import { readFile } from 'node:fs/promises';
import { Fault, messageOf } from '@strongroom/contracts';
import type { z } from 'zod';

/** There are no keys to sign with. The message says what to do, and shows none. */
export class CredentialsFault extends Fault<'keys-missing'> {
  override readonly name = 'CredentialsFault';

  constructor(message: string) {
    super('keys-missing', false, message);
  }
}

/**
 * @param form what the file must hold, as it completes `must hold …`
 * @throws {CredentialsFault}
 */
export async function keysIn<T>(file: string, schema: z.ZodType<T>, form: string): Promise<T> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CredentialsFault(`its file of keys can't be read: ${messageOf(error)}`);
  }
  const found = schema.safeParse(parsed(text));
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

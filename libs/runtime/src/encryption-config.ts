/** For whom backups are encrypted and in which format, and which keys a scheduler has. Nobody else needs to know. */
import type { EncryptionFormat } from '@strongroom/contracts';
import * as encryption from './settings/encryption.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';

export interface EncryptionConfig {
  format: EncryptionFormat;
  recipients: encryption.Recipients;
  chainKeys?: readonly string[] | undefined;
  restoreKeys?: readonly string[] | undefined;
}

const formats: Readonly<Record<encryption.EncryptionName, EncryptionFormat>> = {
  age: 'age-encryption.org/v1',
  'aes-gcm': 'tink/AES256_GCM_HKDF_1MB',
};

export function encryptionOf(given: GivenSettings): EncryptionConfig {
  return {
    format: formats[given.value(encryption.encryption)],
    recipients: given.value(encryption.recipients),
    chainKeys: given.valueIfSet(encryption.chainKey),
    restoreKeys: given.valueIfSet(encryption.restoreKey),
  };
}

/** Keys of age wrap by X25519 and ChaCha20-Poly1305, which FIPS 140 does not have: who asks for the one can't mean the other. */
export function unfitRecipients({ format, recipients, chainKeys = [] }: EncryptionConfig): ConfigProblem[] {
  if (format !== formats['aes-gcm']) return [];
  const all = [recipients.usual, ...recipients.byAccount.values()].flat();
  const unfit = all.find(({ key }) => !encryption.isKeptByProgram(key));
  const [ownKey] = chainKeys;
  const withIt = `with ${encryption.encryption.name}=aes-gcm`;
  const wanted = 'like command:/path/of/program NAME: keys of age are made of algorithms that FIPS 140 does not have';
  return [
    ...(unfit
      ? [{ variable: encryption.recipients.name, problem: `must, ${withIt}, name only recipients ${wanted}` }]
      : []),
    ...(ownKey !== undefined && !encryption.isKeptByProgram(ownKey)
      ? [{ variable: encryption.chainKey.name, problem: `must, ${withIt}, begin with a key ${wanted}` }]
      : []),
  ];
}

/**
 * What can't be used by a process that runs with algorithms of FIPS 140 alone, as after `node --enable-fips`: nothing of age is made of
 * those. Otherwise the first backup would fail, in the words of OpenSSL.
 */
export function unfitForFips({
  format,
  recipients,
  chainKeys = [],
  restoreKeys = [],
}: EncryptionConfig): ConfigProblem[] {
  const encrypts = [recipients.usual, ...recipients.byAccount.values()].some((each) => each.length > 0);
  const here = 'because this Node.js runs with algorithms of FIPS 140 alone, and age is made of others';
  const problems: ConfigProblem[] = [];
  if (encrypts && format !== formats['aes-gcm'])
    problems.push({ variable: encryption.encryption.name, problem: `must be aes-gcm, ${here}` });
  const ofAge = (keys: readonly string[]) => keys.some((key) => !encryption.isKeptByProgram(key));
  for (const [{ name: variable }, keys] of [
    [encryption.chainKey, chainKeys],
    [encryption.restoreKey, restoreKeys],
  ] as const)
    if (ofAge(keys))
      problems.push({
        variable,
        problem: `must have no key of age, ${here}: restore what it opens by a Node.js without --enable-fips`,
      });
  return problems;
}

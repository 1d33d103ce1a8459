/** For whom backups are encrypted, and which keys a scheduler has. Nobody else needs to know. */
import * as encryption from './settings/encryption.js';
import type { GivenSettings } from './settings/given-settings.js';

export interface EncryptionConfig {
  recipients: encryption.Recipients;
  chainKeys?: readonly string[] | undefined;
  restoreKeys?: readonly string[] | undefined;
}

export function encryptionOf(given: GivenSettings): EncryptionConfig {
  return {
    recipients: given.value(encryption.recipients),
    chainKeys: given.valueIfSet(encryption.chainKey),
    restoreKeys: given.valueIfSet(encryption.restoreKey),
  };
}

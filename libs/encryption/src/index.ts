/** Encryption of backups in the formats of age and Tink: keys, headers and payloads. It opens no file of a vault. */
export { CommandKey, commandPrefix } from './command-key.js';
export { altered, EncryptionFault, type EncryptionFaultCode, encryptionFaultCodes } from './encryption-fault.js';
export { type Header, parseHeader, type Stanza } from './header.js';
export { newIdentityFile, parseIdentities } from './identity-file.js';
export {
  type Identity,
  keysHeader,
  type NamedRecipient,
  namesOf,
  type OpenKeys,
  openKeys,
  type Recipient,
  readKeys,
  rewrapKeys,
  type ToldKeys,
  type WrappedKey,
  wrapKey,
  writeKeys,
} from './keys.js';
export { isFileKeyOf, newFileKey, ObjectCipher, type ObjectPlace } from './object-cipher.js';
export type { PayloadReader, PayloadWriter } from './payload.js';
export { chainHolder, identityFrom, recipientFrom, recipientOf } from './recipients.js';
export { newIdentity, X25519Identity, X25519Recipient } from './x25519.js';

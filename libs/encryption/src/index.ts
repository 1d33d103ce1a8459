/** Encryption of backups in age's format: keys, headers and payloads. It opens no file of a vault and knows no backup. */
export { CommandKey, commandPrefix } from './command-key.js';
export { altered, EncryptionFault, type EncryptionFaultCode, encryptionFaultCodes } from './encryption-fault.js';
export { newFileKey } from './file-key.js';
export { type Header, parseHeader, type Stanza } from './header.js';
export { newIdentityFile, parseIdentities } from './identity-file.js';
export {
  type Identity,
  type NamedRecipient,
  namesOf,
  type OpenKeys,
  openKeys,
  type Recipient,
  readKeys,
  rewrapKeys,
  type ToldKeys,
  writeKeys,
} from './keys.js';
export { contentBytesIn, PayloadReader, PayloadWriter, payloadBytes } from './payload.js';
export { chainHolder, identityFrom, recipientFrom, recipientOf } from './recipients.js';
export { newIdentity, X25519Identity, X25519Recipient } from './x25519.js';

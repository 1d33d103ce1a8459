/** What can go wrong with keys and with what is encrypted: a closed list that says of each whether another attempt can help. */
import { Fault } from '@strongroom/contracts';

export const encryptionFaultCodes = {
  /** No key that was given opens it. The message names the keys that do. */
  'key-missing': false,
  /** A key, or a list of recipients, is not written as it should be. */
  'key-invalid': false,
  /** The command that wraps and unwraps keys failed. */
  'key-command-failed': true,
  /** This Node.js runs with algorithms of FIPS 140 alone, and this needs others. */
  'algorithm-not-allowed': false,
  /** The header, or what is encrypted, is not what was made with the key. */
  'ciphertext-altered': false,
} as const;

export type EncryptionFaultCode = keyof typeof encryptionFaultCodes;

export class EncryptionFault extends Fault<EncryptionFaultCode> {
  override readonly name = 'EncryptionFault';

  constructor(code: EncryptionFaultCode, message: string, options?: { cause?: unknown; told?: string }) {
    super(code, encryptionFaultCodes[code], message, options);
  }
}

export function altered(why: string): EncryptionFault {
  return new EncryptionFault('ciphertext-altered', why);
}

/** For whom the backups of an account are encrypted, and with which keys this process reads what an incremental needs of its parent. */
import { chainHolder, type Identity, identityFrom, recipientFrom, recipientOf } from '@strongroom/encryption';
import type { BackupEncryption } from '@strongroom/engines';
import type { EncryptionConfig } from '@strongroom/runtime';

/** @throws {EncryptionFault} `key-invalid`, when a key was mistyped */
export class AccountsEncryption {
  /** The keys of the chains. */
  readonly chainIdentities: readonly Identity[];
  /** The keys with which servers are built from encrypted backups. */
  readonly restoreIdentities: readonly Identity[];
  private readonly usual: BackupEncryption | undefined;
  private readonly byAccount: ReadonlyMap<string, BackupEncryption | undefined>;

  constructor({ format, recipients, chainKeys = [], restoreKeys = [] }: EncryptionConfig) {
    this.chainIdentities = chainKeys.map(identityFrom);
    this.restoreIdentities = restoreKeys.map(identityFrom);
    const chainRecipients = chainKeys.slice(0, 1).map((key) => recipientOf(key, chainHolder));
    const madeFor = (texts: EncryptionConfig['recipients']['usual']): BackupEncryption | undefined =>
      texts.length === 0
        ? undefined
        : {
            format,
            recipients: texts.map(({ key, name }) => recipientFrom(key, name)),
            chainRecipients,
            chainIdentities: this.chainIdentities,
          };
    this.usual = madeFor(recipients.usual);
    this.byAccount = new Map([...recipients.byAccount].map(([account, texts]) => [account, madeFor(texts)]));
  }

  /** Undefined when the backups of the account are not encrypted. */
  of(accountId: string): BackupEncryption | undefined {
    return this.byAccount.has(accountId) ? this.byAccount.get(accountId) : this.usual;
  }
}

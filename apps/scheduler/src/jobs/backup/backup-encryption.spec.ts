import { describe, expect, it } from '@jest/globals';
import { chainHolder } from '@strongroom/encryption';
import { AccountsEncryption } from './backup-encryption.js';

const kept = (key: string) => `command:/usr/local/bin/our-kms ${key}`;

describe('the encryption of the backups of an account', () => {
  it("is in the format of the deployment, for the recipients of the account, and for the scheduler's own key", () => {
    const encryption = new AccountsEncryption({
      format: 'tink/AES256_GCM_HKDF_1MB',
      recipients: {
        usual: [{ key: kept('all'), name: 'the KMS' }],
        byAccount: new Map([
          ['acme', [{ key: kept('acme') }]],
          ['trial', []],
        ]),
      },
      chainKeys: [kept('chains'), kept('former-chains')],
    });
    expect(encryption.of('other')).toMatchObject({
      format: 'tink/AES256_GCM_HKDF_1MB',
      recipients: [{ id: 'command:all', name: 'the KMS' }],
      chainRecipients: [{ id: 'command:chains', name: chainHolder }],
      chainIdentities: [{ id: 'command:chains' }, { id: 'command:former-chains' }],
    });
    expect(encryption.of('acme')).toMatchObject({ recipients: [{ id: 'command:acme' }] });
    expect(encryption.of('trial')).toBeUndefined();
  });
});

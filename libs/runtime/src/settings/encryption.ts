/** For whom backups are encrypted, and which keys a scheduler has. */
import { accountId } from '@strongroom/contracts';
import { z } from 'zod';
import { mustBe, oneOf, parsedText } from './forms.js';
import type { AppName, Setting } from './setting.js';

/** A key for which backups are encrypted. It opens none. */
export interface RecipientText {
  /** `age1…`, or `command:/path/of/program NAME`. */
  key: string;
  /** What people call it. */
  name?: string | undefined;
}

/** For whom the backups of each account are encrypted. Those of an account with an empty list are not encrypted. */
export interface Recipients {
  usual: readonly RecipientText[];
  byAccount: ReadonlyMap<string, readonly RecipientText[]>;
}

const usedBy: readonly AppName[] = ['scheduler'];
const notEncrypted = 'none';
const ofProgram = 'command:';
const keyForm = /^(age1[02-9ac-hj-np-z]{58}|command:\/\S+ [!-~]+)$/;
const identityForm = /^(AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}|command:\/\S+ [!-~]+)$/;

export const recipientsForm = `recipients like age1… with commas between them, or JSON like {"default": [{"key": "age1…", "name": "office safe"}], "accounts": {"acme": ["age1…"]}}, or ${notEncrypted}`;
const identitiesForm =
  'keys like AGE-SECRET-KEY-1…, one in each line, as age-keygen writes them, or like command:/path/of/program NAME';

const recipient = z.union([
  z.string().transform((key) => ({ key })),
  z.strictObject({ key: z.string(), name: z.string().min(1).max(100).optional() }),
]);
const list = z
  .union([z.literal(notEncrypted).transform(() => []), z.array(recipient).min(1).max(32)])
  .refine((all) => all.every(({ key }) => keyForm.test(key)));
const file = z.strictObject({ default: list, accounts: z.record(accountId, list).default({}) });

export const encryptionNames = ['age', 'aes-gcm'] as const;
export type EncryptionName = (typeof encryptionNames)[number];

export const encryption = {
  name: 'STRONGROOM_ENCRYPTION',
  meaning: `In which format backups are encrypted from now on. \`age\`: that of [age](https://age-encryption.org). \`aes-gcm\`: AES-256-GCM in the layout of [Tink](https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming), for those whose auditors ask for algorithms of FIPS 140. With it, every recipient, and the first key of \`STRONGROOM_CHAIN_KEY\`, must be like \`command:/path/of/program NAME\`, because no key of age is made of such algorithms. What was stored in the other format stays readable with its own keys. The next backup of each schedule is full. Where Node.js runs with algorithms of FIPS 140 alone (\`--enable-fips\`), it must be \`aes-gcm\`.`,
  form: oneOf(encryptionNames),
  usedBy,
  default: 'age',
} satisfies Setting<EncryptionName>;

export const recipients = {
  name: 'STRONGROOM_RECIPIENTS',
  meaning: `Whose keys open backups: keys of [age](https://age-encryption.org), or of programs. A backup is encrypted for all of them before anything leaves the process, and nobody else can read it: not who holds a vault, and not Strongroom. Without their keys it can’t be restored, so keep those apart from Strongroom. \`default\` is for every account that \`accounts\` does not name. \`command:/path/of/program NAME\` stands for a key that a program keeps, such as one of a KMS; the page on [operations](operations.md#encryption) says what it must do. With \`${notEncrypted}\` backups are not encrypted, and whoever has a vault can read them. It has no default: whoever runs Strongroom says which of the two it is.`,
  form: parsedText(recipientsForm, recipientsIn),
  usedBy,
  isRequired: true,
  wayOn: `Say who can open the backups: strongroom keys new FILE makes a key, and prints the recipient that STRONGROOM_RECIPIENTS takes; keep FILE apart from Strongroom, in two places. Or set STRONGROOM_RECIPIENTS=${notEncrypted}: then backups are not encrypted, and whoever has a vault can read them.`,
  mayBeFile: true,
} satisfies Setting<Recipients>;

export const chainKey = {
  name: 'STRONGROOM_CHAIN_KEY',
  meaning: `A key with which the scheduler reads what an incremental needs of its parent: its list of files, and what it says of its server. It opens nothing of the data. Encrypted backups are made for it besides. Without it, every encrypted backup is full. A former key may stand in a line behind it.`,
  form: parsedText(identitiesForm, identitiesIn),
  usedBy,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<readonly string[]>;

export const restoreKey = {
  name: 'STRONGROOM_RESTORE_KEY',
  meaning: `Keys with which this scheduler builds servers from encrypted backups. Whoever takes over such a scheduler can read every backup that they open. Without it, servers are built only from backups that are not encrypted.`,
  form: parsedText(identitiesForm, identitiesIn),
  usedBy,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<readonly string[]>;

/** Whether a key is one that a program keeps. */
export function isKeptByProgram(key: string): boolean {
  return key.startsWith(ofProgram);
}

function recipientsIn(text: string): Recipients | string {
  const found = text.startsWith('{') ? file.safeParse(jsonIn(text)) : file.safeParse({ default: listIn(text) });
  if (!found.success) return mustBe(recipientsForm);
  return { usual: found.data.default, byAccount: new Map(Object.entries(found.data.accounts)) };
}

function listIn(text: string): string | string[] {
  return text === notEncrypted ? text : text.split(',').map((part) => part.trim());
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function identitiesIn(text: string): readonly string[] | string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.length > 0 && lines.every((line) => identityForm.test(line)) ? lines : mustBe(identitiesForm);
}

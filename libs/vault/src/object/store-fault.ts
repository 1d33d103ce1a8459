/** Says what is wrong with a store behind a network, and what an operator can do about it. No key and no header is shown. */
import { VaultFault, type VaultFaultCode } from '../vault-fault.js';
import { CredentialsFault } from './key-file.js';
import type { StoreRefusal } from './store-refusal.js';

/** What is wrong, as a clause behind `could not …:`. */
export type Telling = readonly [code: VaultFaultCode, why: string];

/** A kind of store, as its faults tell of it. */
export interface ToldStore {
  region: string;
  /** The store, without the parameters of its address. */
  name: string;
  /** The host that is asked, when it is not the usual one. */
  host: string | undefined;
  /** What only this kind of store says; undefined when it is what every store says. */
  own(refusal: StoreRefusal): Telling | string | undefined;
  /** Who must be allowed what the store refuses: `the owner of …`. */
  keys: string;
  /** Such as `S3`. */
  kind: string;
  refusalIn(error: unknown): StoreRefusal;
}

const noName: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** @param what such as `put state of …`; it completes `could not …` */
export function storeFault(error: unknown, store: ToldStore, what: string): VaultFault {
  if (error instanceof VaultFault) return error;
  const [code, why]: Telling =
    error instanceof CredentialsFault ? ['vault-unavailable', error.message] : tellingOf(store.refusalIn(error), store);
  const { region, name } = store;
  return new VaultFault(code, region, `The vault of ${region}, ${name}, could not ${what}: ${why}.`, {
    cause: error,
    told: `The vault of ${region} did not do what it was asked to.`,
  });
}

/** How the answer is named in a message: its number and its code. */
export function saidIn({ status, code }: StoreRefusal): string {
  return [status, code].filter((part) => part !== undefined && part !== '').join(' ');
}

function tellingOf(refusal: StoreRefusal, store: ToldStore): Telling {
  const { status, message } = refusal;
  const said = saidIn(refusal);
  const own = store.own(refusal);
  if (typeof own === 'object') return own;
  if (status === 507) return ['vault-full', `it has no room left (${said}). Make room, or raise its quota`];
  if (status === 501)
    return ['vault-misconfigured', `the store does not know this request (${said}). Use a store that has it`];
  return ['vault-unavailable', `${own ?? whyAway(refusal, store, said)}${quoted(message, refusal)}`];
}

function whyAway(refusal: StoreRefusal, { host, keys, kind }: ToldStore, said: string): string {
  const { code, status } = refusal;
  if (status === 401 || status === 403) return `it refuses access (${said}). Allow this to the owner of ${keys}`;
  if (noName.has(code)) return `no address is found for ${host ?? kind}. See that the name is right`;
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return `its certificate is not trusted (${code}). Name its authority by NODE_EXTRA_CA_CERTS`;
  if (code === 'HollowAnswer') return `it said that it had done it, and had not: ${refusal.message}`;
  if (code === 'TimeoutError') return 'it was silent for too long. See that it and the network answer';
  if (status === undefined) return `the connection failed${said && ` (${said})`}. See that it and the network answer`;
  if (refusal.passes) return `it fails or asks for fewer requests (${said}). It is tried again`;
  // Such as the page of a proxy.
  if (code === '' && status < 500)
    return `what answers there (${status}) is no ${kind} store. See that endpoint= is right`;
  return `it refused that (${said})`;
}

/** The store's own words, where it has some. They may be of a stranger, so they are kept short. */
function quoted(message: string, { status, code }: StoreRefusal): string {
  const words = message
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 160);
  if (status === undefined || words === '' || words === code || /^Unknown/.test(words)) return '';
  return `. It says: ${JSON.stringify(words)}`;
}

/**
 * A store of objects in a bucket of Google Cloud Storage. Its six requests are made here; whose they are is the business of Google's
 * own library, which is loaded with the first such vault.
 */
import type { GcsAddress } from '@strongroom/contracts';
import { z } from 'zod';
import { keysIn } from '../object/key-file.js';
import { mustAllowMd5 } from '../object/md5.js';
import { optionalSdk } from '../object/optional-sdk.js';
import { RemoteStore, type StoreOptions, type Wire } from '../object/remote-store.js';
import type { ToldStore } from '../object/store-fault.js';
import { GcsConnection, refusalIn, type Signing } from './gcs-request.js';
import { GcsWire } from './gcs-wire.js';

const usualOrigin = new URL('https://storage.googleapis.com');
const scopes = 'https://www.googleapis.com/auth/devstorage.full_control';
const credentials = z.looseObject({ type: z.string().min(1) });
const form = 'a key of a service account, or another file of credentials that Google gives';

export class GcsStore extends RemoteStore {
  /** That of the store. */
  readonly mostObjectBytes = 5 * 2 ** 40;
  protected readonly told: ToldStore;

  constructor(
    region: string,
    protected readonly address: GcsAddress,
    options: StoreOptions = {},
  ) {
    super(region, options);
    this.told = toldOf(region, address);
  }

  locationOf(key: string): string {
    return `gs://${this.address.bucket}/${this.address.prefix}${key}`;
  }

  protected async connect(): Promise<Wire> {
    mustAllowMd5(this.told);
    const { address, patience } = this;
    const signing = address.anonymous ? async () => ({}) : await signingOf(address);
    return new GcsWire(
      this.told,
      address,
      new GcsConnection(address.endpoint ?? usualOrigin, patience.silentMs, signing),
    );
  }
}

/** Tokens are kept as long as they hold. A file that has changed counts from the next request on. */
async function signingOf({ credentialsFile }: GcsAddress): Promise<Signing> {
  const { GoogleAuth } = await optionalSdk('google-auth-library', () => import('google-auth-library'));
  let known: { text: string; auth: InstanceType<typeof GoogleAuth> } | undefined;
  return async () => {
    const found = credentialsFile === undefined ? undefined : await keysIn(credentialsFile, credentials, form);
    const text = JSON.stringify(found ?? null);
    if (known?.text !== text) known = { text, auth: new GoogleAuth({ scopes, ...(found && { credentials: found }) }) };
    return Object.fromEntries(await known.auth.getRequestHeaders());
  };
}

function toldOf(region: string, { bucket, prefix, endpoint, credentialsFile }: GcsAddress): ToldStore {
  return {
    region,
    name: `gs://${bucket}/${prefix} at ${endpoint?.origin ?? 'Google Cloud Storage'}`,
    host: endpoint?.hostname,
    keys: credentialsFile ? `the keys in ${credentialsFile}` : 'the keys that Google finds, in the environment first',
    kind: 'Google Cloud Storage',
    refusalIn,
    own({ status }) {
      if (status === 404) return `there is no bucket ${bucket}. Make it, or mend its name in STRONGROOM_VAULTS`;
      if (status === 416) return ['object-unreadable', 'the store does not give back these bytes of the object'];
      return undefined;
    },
  };
}

/** A store of objects in a container of Azure Blob Storage, by its own SDK, which is loaded with the first such vault. */
import type { ContainerClient } from '@azure/storage-blob';
import type { AzureAddress } from '@strongroom/contracts';
import { z } from 'zod';
import { keysIn } from '../object/key-file.js';
import { mustAllowMd5 } from '../object/md5.js';
import { optionalSdk } from '../object/optional-sdk.js';
import { RemoteStore, type StoreOptions, type Wire } from '../object/remote-store.js';
import { saidIn, type ToldStore } from '../object/store-fault.js';
import { refusalIn } from './azure-answer.js';
import { AzureWire } from './azure-wire.js';

const mebibyte = 2 ** 20;
const keys = z.union([
  z.strictObject({ accountKey: z.string().min(1) }),
  z.strictObject({ sasToken: z.string().min(1) }),
]);
type Keys = z.infer<typeof keys>;
const form = 'a JSON object with accountKey or sasToken';

export class AzureStore extends RemoteStore {
  /** That of the store for one request. */
  readonly mostObjectBytes = 5_000 * mebibyte;
  protected readonly told: ToldStore;

  constructor(
    region: string,
    protected readonly address: AzureAddress,
    options: StoreOptions = {},
  ) {
    super(region, options);
    this.told = toldOf(region, address);
  }

  locationOf(key: string): string {
    return `az://${this.address.bucket}/${this.address.prefix}${key}`;
  }

  protected async connect(): Promise<Wire> {
    mustAllowMd5(this.told);
    const { address, patience } = this;
    const container = await containersOf(address);
    return new AzureWire(this.told, address, { container, silentMs: patience.silentMs });
  }
}

/** A file of keys that has changed counts from the next request on. */
async function containersOf(address: AzureAddress): Promise<() => Promise<ContainerClient>> {
  const sdk = await optionalSdk('@azure/storage-blob', () => import('@azure/storage-blob'));
  const url = containerUrl(address);
  const clientFor = async (found: Keys | undefined): Promise<ContainerClient> => {
    // The door's own attempts know which requests may be made again, and end with the caller's signal.
    const options = { retryOptions: { maxTries: 1 } };
    if (found && 'accountKey' in found) {
      const credential = new sdk.StorageSharedKeyCredential(address.account, found.accountKey);
      return new sdk.ContainerClient(url, credential, options);
    }
    if (found) return new sdk.ContainerClient(`${url}?${found.sasToken.replace(/^\?/, '')}`, undefined, options);
    const identity = await optionalSdk('@azure/identity', () => import('@azure/identity'));
    return new sdk.ContainerClient(url, new identity.DefaultAzureCredential(), options);
  };
  let known: { text: string; client: Promise<ContainerClient> } | undefined;
  return async () => {
    const { credentialsFile } = address;
    const found = credentialsFile === undefined ? undefined : await keysIn(credentialsFile, keys, form);
    const text = JSON.stringify(found ?? null);
    if (known?.text !== text) known = { text, client: clientFor(found) };
    return known.client;
  };
}

/** An endpoint that does not begin with the account has it in the path, as an emulator does. */
function containerUrl({ account, bucket, endpoint }: AzureAddress): string {
  const origin = endpoint?.origin ?? `https://${account}.blob.core.windows.net`;
  const isInHost = endpoint === undefined || endpoint.hostname.startsWith(`${account}.`);
  return isInHost ? `${origin}/${bucket}` : `${origin}/${account}/${bucket}`;
}

function toldOf(region: string, { bucket, prefix, account, endpoint, credentialsFile }: AzureAddress): ToldStore {
  const keys = credentialsFile
    ? `the keys in ${credentialsFile}`
    : 'the identity that Azure finds, in the environment first';
  return {
    region,
    name: `az://${bucket}/${prefix} at ${endpoint?.origin ?? `Azure in ${account}`}`,
    host: endpoint?.hostname ?? `${account}.blob.core.windows.net`,
    keys,
    kind: 'Azure',
    refusalIn,
    own(refusal) {
      const { code } = refusal;
      if (code === 'ContainerNotFound')
        return `there is no container ${bucket}. Make it, or mend its name in STRONGROOM_VAULTS`;
      if (code === 'AuthenticationFailed' || code === 'InvalidAuthenticationInfo')
        return `it does not take its keys (${saidIn(refusal)}). Mend ${keys}, and see that the clock of this host is right`;
      if (code === 'BlobArchived')
        return ['object-unreadable', 'the object is in an archive of the store. Have the store restore it'];
      if (code === 'CredentialUnavailableError' || code === 'AggregateAuthenticationError')
        return 'there are no keys. Name a file by credentials=, or give the environment an identity';
      return undefined;
    },
  };
}

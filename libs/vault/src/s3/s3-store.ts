/** A store of objects in a bucket of S3, or of a store that speaks its protocol. */
import type { S3Address } from '@strongroom/contracts';
import type { BucketLock } from '../bucket-lock.js';
import type { ObjectFacts, ObjectStore } from '../object/object-store.js';
import { RemoteStore, type StoreOptions } from '../object/remote-store.js';
import type { ToldStore } from '../object/store-fault.js';
import { areOneStore } from './s3-copy.js';
import { toldOf } from './s3-fault.js';
import { connectS3 } from './s3-sdk.js';
import { S3Wire } from './s3-wire.js';

const gibibyte = 2 ** 30;

export class S3Store extends RemoteStore<S3Wire> {
  /** That of S3 for one request. */
  readonly mostObjectBytes = 5 * gibibyte;
  protected readonly told: ToldStore;

  constructor(
    region: string,
    protected readonly address: S3Address,
    options: StoreOptions = {},
  ) {
    super(region, options);
    this.told = toldOf(region, address);
  }

  locationOf(key: string): string {
    return `s3://${this.address.bucket}/${this.address.prefix}${key}`;
  }

  override async copy(
    from: { store: ObjectStore; key: string },
    key: string,
    signal: AbortSignal,
  ): Promise<ObjectFacts | undefined> {
    const { store } = from;
    if (!(store instanceof S3Store) || !areOneStore(store.address, this.address)) return undefined;
    const source = { bucket: store.address.bucket, key: `${store.address.prefix}${from.key}` };
    return this.doing(`copy ${key}`, signal, (wire) => this.ask(signal, () => wire.copy(source, key, signal)));
  }

  override bucketLock(signal: AbortSignal): Promise<BucketLock> {
    return this.doing('read the lock of the bucket', signal, (wire) => this.ask(signal, () => wire.bucketLock(signal)));
  }

  protected async connect(): Promise<S3Wire> {
    const connection = await connectS3(this.address, this.patience.silentMs);
    return new S3Wire(this.told, this.address, connection);
  }
}

/** Whether a bucket has a lock. `on-for-all`: it also locks what it is not asked to lock. `unknown`: our keys may not ask. */
export type BucketLock = 'on' | 'on-for-all' | 'off' | 'unknown';

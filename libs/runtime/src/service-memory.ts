/**
 * How much memory a service may have. Node and glibc read these variables before anything runs, so whoever starts a service puts them
 * into its environment: the image, the launcher of `npm start`, the tests and the measurements.
 */

/**
 * In MiB. What a busy service keeps is about 60 MiB. Where V8 may take gigabytes, it collects old garbage only when the memory has grown
 * to four times that; with a limit like this one, it collects when the memory has grown by a third. The limit itself is far away, since
 * a process that reaches it ends. For young objects, Node would take up to 128 MiB on a large machine, and 2 MiB in a container of 512 MiB, where
 * it would collect all the time. They take up to twice the second size, and hold buffers of several times that. How much a smaller one
 * costs of the processor: docs/decisions/0243-memory-that-young-objects-hold.md.
 */
export const memoryOptions = '--max-old-space-size=320 --max-semi-space-size=8';

export interface ServiceMemory {
  NODE_OPTIONS: string;
  /** glibc keeps freed memory in an arena of each thread: with many threads that is far more than is in use. */
  MALLOC_ARENA_MAX: string;
}

/** @param options of Node that go before ours @returns variables for the environment of a service */
export function serviceMemory(options = ''): ServiceMemory {
  return { NODE_OPTIONS: `${memoryOptions} ${options}`.trim(), MALLOC_ARENA_MAX: '2' };
}

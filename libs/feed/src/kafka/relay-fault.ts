/** The relay can't send now, and tries again by itself. */
export class RelayFault extends Error {
  override readonly name = 'RelayFault';
  readonly retryable = true;

  constructor(
    readonly code: 'topic-without-partitions' | 'topic-seems-shorter',
    message: string,
  ) {
    super(message);
  }
}

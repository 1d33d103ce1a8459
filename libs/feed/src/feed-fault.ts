/** The dead-letter topic did not take a message. The message is not set aside yet: it waits, and so does its partition. */
export class FeedFault extends Error {
  override readonly name = 'FeedFault';
  readonly code = 'dead-letter-not-published';
  readonly retryable = true;

  constructor(topic: string, cause: unknown) {
    super(
      `a dead letter was not taken by ${topic}: ${cause instanceof Error ? cause.message : String(cause)}; it is sent again until it is`,
      { cause },
    );
  }
}

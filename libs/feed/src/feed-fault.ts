/** Events wait until the broker does its part. What failed is tried again automatically. */
import { Fault, messageOf } from '@strongroom/contracts';

export class FeedFault extends Fault<'dead-letter-not-published' | 'broker-too-slow' | 'consumer-silent'> {
  override readonly name = 'FeedFault';

  constructor(code: FeedFault['code'], message: string, cause?: unknown) {
    super(code, true, message, { cause });
  }

  /** The message is not set aside yet: it waits, and its partition with it. */
  static notPublished(topic: string, cause: unknown): FeedFault {
    const message = `a dead letter was not taken by ${topic}: ${messageOf(cause)}; it is sent again until it is`;
    return new FeedFault('dead-letter-not-published', message, cause);
  }
}

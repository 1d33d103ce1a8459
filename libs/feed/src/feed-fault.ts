/** The dead-letter topic did not take a message. The message is not set aside yet: it waits, and its partition with it. */
import { Fault, messageOf } from '@strongroom/contracts';

export class FeedFault extends Fault<'dead-letter-not-published'> {
  override readonly name = 'FeedFault';

  constructor(topic: string, cause: unknown) {
    const message = `a dead letter was not taken by ${topic}: ${messageOf(cause)}; it is sent again until it is`;
    super('dead-letter-not-published', true, message, { cause });
  }
}

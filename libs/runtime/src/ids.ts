/** New identities. UUIDv7: later ids sort later, so the indexes that they land in stay compact. */
import { v7 } from 'uuid';

export abstract class Ids {
  /** A new UUID, in lower case. */
  abstract next(): string;
}

export class RandomIds extends Ids {
  next(): string {
    return v7();
  }
}

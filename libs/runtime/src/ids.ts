/** Gives new ids. They are UUIDv7: later ids sort later, which keeps indexes compact. */
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

/**
 * A group has not handled what came before the messages that it was given. A database may lose its last commits, with what was
 * handled and with the offset, while a consumer lives and reads on. Nothing was changed: the reader goes back.
 */
export class OffsetGap extends Error {
  override readonly name = 'OffsetGap';

  constructor(
    /** The offset of the last message that the group has handled; -1 before the first. */
    readonly handled: bigint,
    follows: bigint,
  ) {
    super(`the messages follow offset ${follows}, and what was handled ends at ${handled}`);
  }
}

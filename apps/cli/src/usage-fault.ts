/** The fault of a call that cannot be carried out as it is written. */
import { Fault } from '@strongroom/contracts';

export class UsageFault extends Fault<'usage-invalid'> {
  override readonly name = 'UsageFault';

  constructor(message: string, options?: { cause?: unknown }) {
    super('usage-invalid', false, message, options);
  }
}

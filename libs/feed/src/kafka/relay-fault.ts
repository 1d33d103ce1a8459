/** The relay can't send now. It tries again automatically. */
import { Fault } from '@strongroom/contracts';

export class RelayFault extends Fault<
  | 'topics-not-made'
  | 'topic-without-partitions'
  | 'topic-seems-shorter'
  | 'partition-without-leader'
  | 'broker-too-slow'
  | 'lease-lost'
> {
  override readonly name = 'RelayFault';

  constructor(code: RelayFault['code'], message: string) {
    super(code, true, message);
  }
}

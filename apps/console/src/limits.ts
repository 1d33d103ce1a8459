/** The limits of transfers in words, in the units in which operators set them. */
import type { TransferLimit } from '@strongroom/contracts';

const mebibyte = 1_048_576;

/** `Its vault: 20 MiB/s, 4 transfers at a time`, as seen from the region that copies go to. */
export function limitWords({ scope, bytes_per_second, at_a_time, requests_at_a_time }: TransferLimit): string {
  const limits = [
    ...(bytes_per_second === null ? [] : [`${Number((bytes_per_second / mebibyte).toFixed(3))} MiB/s`]),
    ...(at_a_time === null ? [] : [`${at_a_time} transfers at a time`]),
    ...(requests_at_a_time === null ? [] : [`its store is busy and gets ${requests_at_a_time} requests at a time`]),
  ];
  return `${whose(scope)}: ${limits.join(', ')}`;
}

function whose(scope: string): string {
  if (scope === 'process') return 'Each process';
  const [from, to] = scope.split(':');
  return to === undefined ? 'Its vault' : `From ${from}`;
}

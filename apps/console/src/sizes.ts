/** Sizes and speeds in words. */

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `5.0 GB`, with units of a thousand; a dash when it is not known. */
export function bytesOf(bytes: number | null): string {
  if (bytes === null) return '–';
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${at === 0 ? bytes : (bytes / 1_000 ** at).toFixed(1)} ${units[at]}`;
}

/** What is known of a transfer: how much is done, how fast it was on average, and when it is done at that speed. */
export function left(
  { progress, size_bytes, started }: { progress: number; size_bytes: number | null; started: string | null },
  now: Date,
): string {
  const seconds = started === null ? 0 : (now.getTime() - Date.parse(started)) / 1_000;
  if (size_bytes === null || progress === 0 || seconds <= 0) return `${progress} %`;
  const bytesPerSecond = (size_bytes * progress) / 100 / seconds;
  const minutes = Math.ceil((size_bytes * (100 - progress)) / 100 / bytesPerSecond / 60);
  return `${progress} %, ${bytesOf(Math.round(bytesPerSecond))}/s on average, ready in about ${minutes} min`;
}

/** The name of a backup that nobody named: its instance's and an instant, within the 64 characters that a name may have. */

const longest = 64;

/** `orders-20261123T1430Z`. A name that is too long is cut, and never in the middle of a character. */
export function backupName(instanceName: string, stamp: string): string {
  const cut = instanceName.slice(0, longest - 1 - stamp.length).replace(/\p{Cs}$/u, '');
  return `${cut}-${stamp}`;
}

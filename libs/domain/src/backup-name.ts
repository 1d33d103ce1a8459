/** Names a backup that nobody has named: by its instance and an instant, within the 64 characters that a name may have. */

const longest = 64;

/** Gives a name such as `orders-20261123T1430Z`. An instance's name that is too long is cut, but never within a character. */
export function backupName(instanceName: string, stamp: string): string {
  const cut = instanceName.slice(0, longest - 1 - stamp.length).replace(/\p{Cs}$/u, '');
  return `${cut}-${stamp}`;
}

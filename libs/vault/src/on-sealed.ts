/** Reads what is sealed while others may seal another place of the same backup, or remove it. */
import { isSpoilt } from './vault-fault.js';

/**
 * Tries again when another place was sealed meanwhile, or the backup was removed: nothing is lost then.
 * @param find gives the place that is sealed now, or undefined when none is
 * @returns undefined when none is sealed
 */
export async function onSealed<Sealed extends { place: string }, T>(
  find: () => Promise<Sealed | undefined>,
  use: (sealed: Sealed) => Promise<T>,
): Promise<T | undefined> {
  for (let sealed = await find(); sealed; ) {
    try {
      return await use(sealed);
    } catch (error) {
      if (!isSpoilt(error)) throw error;
      const now = await find();
      if (now?.place === sealed.place) throw error;
      sealed = now;
    }
  }
  return undefined;
}

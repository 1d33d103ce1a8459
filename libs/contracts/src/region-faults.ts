/** What is recorded, and shown, of regions that the deployment has no vault of any more. */

/** The code of what can't be done because a region has no vault: it goes on by itself when there is one again. */
export const regionRetired = 'region-retired';

/** Why, and what to do about it, for people. */
export function whyRetired(region: string): string {
  return `Region ${region} has no vault here any more. Name it in STRONGROOM_VAULTS again, and this goes on by itself; if its vault is gone for good, give it an empty one.`;
}

/** What is recorded and shown when the deployment has no vault for a region any more. */

/** The code of work that waits because a region has no vault. It goes on automatically when there is one again. */
export const regionRetired = 'region-retired';

/** Tells people why, and what to do about it. */
export function whyRetired(region: string): string {
  return `Region ${region} has no vault here any more. Name it in STRONGROOM_VAULTS again, and this goes on automatically; if its vault is gone for good, give it an empty one.`;
}

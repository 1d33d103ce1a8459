/**
 * What the settings of a scheduler lack where a test is not about encryption: backups are in clear only where that is said. Vaults are
 * then damaged and compared by tests that have no key.
 */
export const backupsInClear = { STRONGROOM_RECIPIENTS: 'none' };

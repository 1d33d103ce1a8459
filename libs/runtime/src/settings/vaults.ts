/** The regions, and where the vault of each is. */
import { regionName, vaultAddresses, vaultsForm } from '@strongroom/contracts';
import { integer, parsedText, wholeTime } from './forms.js';
import { appNames, type Setting } from './setting.js';

/** No copy may go to this region in any deployment, because the reference of the API forbids it. */
export const noCopiesTo = 'LON';

export const vaults = {
  name: 'STRONGROOM_VAULTS',
  meaning: `Each region with the URL of its vault. Copies may go to every one of these regions but the home region. \`${noCopiesTo}\` can be the home region only. A vault is a folder, \`file:///path\`, or a place in a bucket of S3 or of a store that speaks its protocol, \`s3://bucket/prefix?region=…\`. \`endpoint\` is the address of such a store. \`pathStyle=false\` puts the bucket into the host, which is usual with AWS only. \`credentials\` is the path of a JSON file with \`accessKeyId\`, \`secretAccessKey\` and, where there is one, \`sessionToken\`; it is read again for each request. Without it the keys are found as the SDK of AWS finds them: in the environment, in a profile, or by the service of the host. \`lock\` is \`governance\` or \`compliance\`: how the bucket keeps objects from everybody until a time. In an address, a comma is written \`%2C\`.`,
  form: parsedText(vaultsForm, (value) => vaultAddresses(value.split(','))),
  usedBy: appNames,
  isRequired: true,
  isSecret: true,
} satisfies Setting<ReadonlyMap<string, URL>>;

export const homeRegion = {
  name: 'STRONGROOM_HOME_REGION',
  meaning: `The region where backups are made. It is one of the regions of \`${vaults.name}\`. The page on [operations](operations.md) says how the home region is moved and how a region is taken out.`,
  form: { says: 'the name of a region, such as "IAD"', schema: regionName },
  usedBy: appNames,
  default: 'DFW',
} satisfies Setting<string>;

export const sweepGrace = {
  name: 'STRONGROOM_SWEEP_GRACE_HOURS',
  meaning: 'For how long the remains of a lost attempt must not have changed before they are removed from a vault.',
  form: wholeTime('hours', 1, 8_760),
  usedBy: ['scheduler', 'replicator'],
  default: '24',
} satisfies Setting<number>;

export const freeSpaceReserve = {
  name: 'STRONGROOM_FREE_SPACE_RESERVE_MIB',
  meaning:
    'How much space backups, copies and built servers leave free on the disk that they are written to. What does not fit beside it is not begun, or ends before the disk is full, and is tried again later. With 0 a disk may become full.',
  form: integer(0, 1_073_741_824),
  usedBy: ['scheduler', 'replicator'],
  default: '256',
} satisfies Setting<number>;

/** Every migration, in the order in which they run. A new one goes to the end, and what has landed is never changed. */
import { Ledger1700000000001 } from './migrations/0001-ledger.js';
import { Feed1700000000002 } from './migrations/0002-feed.js';
import { Jobs1700000000003 } from './migrations/0003-jobs.js';
import { Views1700000000004 } from './migrations/0004-views.js';
import { SlotTimers1700000000005 } from './migrations/0005-slot-timers.js';
import { Credentials1700000000006 } from './migrations/0006-credentials.js';
import { Limits1700000000007 } from './migrations/0007-limits.js';
import { BuiltInstances1700000000008 } from './migrations/0008-built-instances.js';
import { Answers1700000000009 } from './migrations/0009-answers.js';
import { RunsAskedFor1700000000010 } from './migrations/0010-runs-asked-for.js';
import { JobFailures1700000000011 } from './migrations/0011-job-failures.js';
import { Mending1700000000012 } from './migrations/0012-mending.js';
import { Vaults1700000000013 } from './migrations/0013-vaults.js';
import { Lineages1700000000014 } from './migrations/0014-lineages.js';
import { Regions1700000000015 } from './migrations/0015-regions.js';
import { SecondLook1700000000016 } from './migrations/0016-second-look.js';
import { SteadyTime1700000000017 } from './migrations/0017-steady-time.js';
import { Functions1700000000018 } from './migrations/0018-functions.js';
import { UnreadColumns1700000000019 } from './migrations/0019-unread-columns.js';
import { JobsWithEvents1700000000020 } from './migrations/0020-jobs-with-events.js';
import { Comments1700000000021 } from './migrations/0021-comments.js';
import { BoundedJobWaits1700000000022 } from './migrations/0022-bounded-job-waits.js';
import { RelayAndLedgerIdentity1700000000023 } from './migrations/0023-relay-and-ledger-identity.js';
import { SetAside1700000000025 } from './migrations/0025-set-aside.js';
import { AttemptsAndDelays1700000000030 } from './migrations/0030-attempts-and-delays.js';
import { FailedDeletions1700000000032 } from './migrations/0032-failed-deletions.js';
import { ChangedCredentials1700000000034 } from './migrations/0034-changed-credentials.js';
import { ToldVersions1700000000035 } from './migrations/0035-told-versions.js';
import { PutOffDeletions1700000000036 } from './migrations/0036-put-off-deletions.js';
import { JobsPassedOver1700000000038 } from './migrations/0038-jobs-passed-over.js';
import { AppendTogether1700000000047 } from './migrations/0047-append-together.js';
import { MarkedDeletions1700000000053 } from './migrations/0053-marked-deletions.js';
import { Roles1700000000057 } from './migrations/0057-roles.js';
import { LedgerLinks1700000000058 } from './migrations/0058-ledger-links.js';
import { Audit1700000000060 } from './migrations/0060-audit.js';
import { AuditedEvents1700000000061 } from './migrations/0061-audited-events.js';
import { ServerLogins1700000000063 } from './migrations/0063-server-logins.js';
import { TurnsOfAccounts1700000000065 } from './migrations/0065-turns-of-accounts.js';
import { QuotasOfInstances1700000000066 } from './migrations/0066-quotas-of-instances.js';
import { LogInsOfAccounts1700000000070 } from './migrations/0070-log-ins-of-accounts.js';
import { ExportsOfTheAudit1700000000071 } from './migrations/0071-exports-of-the-audit.js';
import { AppendsOfServices1700000000072 } from './migrations/0072-appends-of-services.js';
import { AddressesOfLogins1700000000075 } from './migrations/0075-addresses-of-logins.js';
import { SharedQuotas1700000000076 } from './migrations/0076-shared-quotas.js';
import { RequestsTogether1700000000077 } from './migrations/0077-requests-together.js';
import { PlannedOnce1700000000078 } from './migrations/0078-planned-once.js';
import { BasesOfSlots1700000000079 } from './migrations/0079-bases-of-slots.js';
import { TurnsOfTimers1700000000080 } from './migrations/0080-turns-of-timers.js';
import { NewestOfAccounts1700000000081 } from './migrations/0081-newest-of-accounts.js';
import { RoomBesideHeads1700000000082 } from './migrations/0082-room-beside-heads.js';
import { AskedLetters1700000000083 } from './migrations/0083-asked-letters.js';
import { NextOfKind1700000000084 } from './migrations/0084-next-of-kind.js';
import { CheaperAppends1700000000085 } from './migrations/0085-cheaper-appends.js';
import { KeysWithAnswers1700000000090 } from './migrations/0090-keys-with-answers.js';
import { ExpectedSeals1700000000098 } from './migrations/0098-expected-seals.js';
import { EncryptedBackups1700000000099 } from './migrations/0099-encrypted-backups.js';
import { Verifications1700000000102 } from './migrations/0102-verifications.js';
import { TransferRates1700000000103 } from './migrations/0103-transfer-rates.js';
import { TransferLimits1700000000107 } from './migrations/0107-transfer-limits.js';
import { RegionOutages1700000000108 } from './migrations/0108-region-outages.js';
import { AppendsAtOnce1700000000113 } from './migrations/0113-appends-at-once.js';
import { TransferCaps1700000000114 } from './migrations/0114-transfer-caps.js';
import { OutcomesOfSchedules1700000000116 } from './migrations/0116-outcomes-of-schedules.js';
import { OutcomesOfOlderSchedules1700000000117 } from './migrations/0117-outcomes-of-older-schedules.js';
import { EventsOfSchedules1700000000120 } from './migrations/0120-events-of-schedules.js';
import { QuotasOfLanes1700000000121 } from './migrations/0121-quotas-of-lanes.js';
import { ReadsByOneProcess1700000000122 } from './migrations/0122-reads-by-one-process.js';
import { Webhooks1700000000123 } from './migrations/0123-webhooks.js';
import { LongStreams1700000000124 } from './migrations/0124-long-streams.js';
import { LongStreamsInTime1700000000125 } from './migrations/0125-long-streams-in-time.js';
import { LongPauses1700000000126 } from './migrations/0126-long-pauses.js';
import { ExplainedStreams1700000000127 } from './migrations/0127-explained-streams.js';
import { ReasonsOfPauses1700000000128 } from './migrations/0128-reasons-of-pauses.js';
import { SpeedsOfJobs1700000000129 } from './migrations/0129-speeds-of-jobs.js';
import { OutcomesByStatement1700000000130 } from './migrations/0130-outcomes-by-statement.js';
import { RestoreTests1700000000131 } from './migrations/0131-restore-tests.js';
import { LimitsInForce1700000000132 } from './migrations/0132-limits-in-force.js';
import { DueWebhooks1700000000134 } from './migrations/0134-due-webhooks.js';
import { AuditedWebhooks1700000000135 } from './migrations/0135-audited-webhooks.js';

export const migrations = [
  Ledger1700000000001,
  Feed1700000000002,
  Jobs1700000000003,
  Views1700000000004,
  SlotTimers1700000000005,
  Credentials1700000000006,
  Limits1700000000007,
  BuiltInstances1700000000008,
  Answers1700000000009,
  RunsAskedFor1700000000010,
  JobFailures1700000000011,
  Mending1700000000012,
  Vaults1700000000013,
  Lineages1700000000014,
  Regions1700000000015,
  SecondLook1700000000016,
  SteadyTime1700000000017,
  Functions1700000000018,
  UnreadColumns1700000000019,
  JobsWithEvents1700000000020,
  Comments1700000000021,
  BoundedJobWaits1700000000022,
  RelayAndLedgerIdentity1700000000023,
  SetAside1700000000025,
  AttemptsAndDelays1700000000030,
  FailedDeletions1700000000032,
  ChangedCredentials1700000000034,
  ToldVersions1700000000035,
  PutOffDeletions1700000000036,
  JobsPassedOver1700000000038,
  AppendTogether1700000000047,
  MarkedDeletions1700000000053,
  Roles1700000000057,
  LedgerLinks1700000000058,
  Audit1700000000060,
  AuditedEvents1700000000061,
  ServerLogins1700000000063,
  TurnsOfAccounts1700000000065,
  QuotasOfInstances1700000000066,
  LogInsOfAccounts1700000000070,
  ExportsOfTheAudit1700000000071,
  AppendsOfServices1700000000072,
  AddressesOfLogins1700000000075,
  SharedQuotas1700000000076,
  RequestsTogether1700000000077,
  PlannedOnce1700000000078,
  BasesOfSlots1700000000079,
  TurnsOfTimers1700000000080,
  NewestOfAccounts1700000000081,
  RoomBesideHeads1700000000082,
  AskedLetters1700000000083,
  NextOfKind1700000000084,
  CheaperAppends1700000000085,
  KeysWithAnswers1700000000090,
  ExpectedSeals1700000000098,
  EncryptedBackups1700000000099,
  Verifications1700000000102,
  TransferRates1700000000103,
  TransferLimits1700000000107,
  RegionOutages1700000000108,
  AppendsAtOnce1700000000113,
  TransferCaps1700000000114,
  OutcomesOfSchedules1700000000116,
  OutcomesOfOlderSchedules1700000000117,
  EventsOfSchedules1700000000120,
  QuotasOfLanes1700000000121,
  ReadsByOneProcess1700000000122,
  Webhooks1700000000123,
  LongStreams1700000000124,
  LongStreamsInTime1700000000125,
  LongPauses1700000000126,
  ExplainedStreams1700000000127,
  ReasonsOfPauses1700000000128,
  SpeedsOfJobs1700000000129,
  OutcomesByStatement1700000000130,
  RestoreTests1700000000131,
  LimitsInForce1700000000132,
  DueWebhooks1700000000134,
  AuditedWebhooks1700000000135,
] as const;

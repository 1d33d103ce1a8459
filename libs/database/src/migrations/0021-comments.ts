/** Has each table say what it holds, so that `schema.sql` and psql can be read without this history. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Comments1700000000021 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      comment on table ledger_event is 'Everything that happened. Rows are only added, by ledger_append.';
      comment on column ledger_event.position is 'The order of positions is the order of commits.';
      comment on column ledger_event.version is 'The version that the event gave its stream: 1 for the first event.';
      comment on column ledger_event.aggregate is 'The kind of aggregate that the stream is of; it chooses the topic.';
      comment on column ledger_event.context is 'The request that led to the event, and who made it.';
      comment on table ledger_claim is 'What one stream holds at a time, such as the running backup of an instance.';
      comment on column ledger_claim.stream is 'The stream that holds the claim.';
      comment on table ledger_quota is 'How much of each quota is used. It is counted in the transaction of the events.';

      comment on table relay_cursor is 'How far the relay has sent the events of a topic to a broker cluster.';
      comment on column relay_cursor.source is 'The broker cluster. A new cluster is filled from the start of the ledger.';
      comment on column relay_cursor.position is 'The position of the last event that the broker has acknowledged.';
      comment on column relay_cursor.holder is 'The process that relays the topic, until held_until.';
      comment on column relay_cursor.held_ms is 'The length of the lease; null when an older version wrote it.';
      comment on column relay_cursor.ends is 'By partition, the offset after the newest message that the broker has acknowledged.';
      comment on table feed_offset is 'How far a consumer group has handled a partition. A lock on the row keeps other consumers away.';
      comment on column feed_offset.source is 'The broker cluster, or the ledger itself.';
      comment on column feed_offset."offset" is 'The offset of the last message that was handled; -1 before the first.';
      comment on column feed_offset.position is 'The position of the last event that was handled. A message at or below it is a repetition.';
      comment on table dead_letter is 'Messages that no handler could take.';
      comment on column dead_letter.replay_asked_at is 'An operator sets it to have the message handled again.';
      comment on table feed_handled is 'The events that a consumer group has handled since its second look. It is written with the effects of the handlers. It is not logged: after a crash the events are handled again.';
      comment on table feed_handled_since is 'One row: the events beyond this position have a row in feed_handled when they are handled.';
      comment on table second_look is 'Up to which position each consumer group has looked a second time.';

      comment on table view_head is 'Up to which position the views of an account are folded. A process locks the row while it folds them.';
      comment on column view_head.passed_over is 'The types of events that the version which folded the views did not know.';
      comment on table instance_view is 'One row for each instance that was not forgotten.';
      comment on column instance_view.endpoint is 'How the server is reached; null until a server that is built from a backup runs.';
      comment on column instance_view.accepted_lineages is 'The lineages that somebody has accepted.';
      comment on table schedule_view is 'One row for each schedule.';
      comment on column schedule_view.day_of_week is 'The day of the full backup: 0 is Sunday, 6 is Saturday, and 7 is every day.';
      comment on table backup_view is 'One row for each backup that was asked for and is not deleted.';
      comment on column backup_view.slot_at is 'The slot that the backup is for; null when a client asked for it.';
      comment on column backup_view.size_bytes is 'The bytes in the vault.';
      comment on column backup_view.raw_bytes is 'The bytes before compression.';
      comment on column backup_view.version is 'The version of the stream that the row reflects.';
      comment on column backup_view.made_full is 'Why the backup is full though an incremental one was planned.';
      comment on column backup_view.lineage is 'The history of one server that the backup is a state of; null until it is known.';
      comment on column backup_view.facts is 'What the engine says of the server, to know it again.';
      comment on column backup_view.another_server is 'Why the server is another one than that of the backup before.';
      comment on column backup_view.position is 'The position of the event that begins the backup. It tells which backup is newest, even when a clock was wrong.';
      comment on table copy_view is 'One row for each copy of a backup that another region is to have.';
      comment on column copy_view.owed_at is 'Since when the region has been owed the copy.';
      comment on column copy_view.retry_at is 'When a copy that failed is tried again.';
      comment on table run_view is 'What became of each slot, and the runs that were asked for. A row stays when its backup is deleted.';
      comment on column run_view.id is 'The id of the run''s backup, also when there is no backup.';
      comment on column run_view.slot_at is 'Null for a run that was asked for.';
      comment on column run_view.reason is 'Why there is no backup.';
      comment on column run_view.made_full is 'Why the backup is full though an incremental one was planned.';

      comment on table job is 'Long work and who does it. A job is leased, and no transaction stays open while it is done.';
      comment on column job.lane is 'What the work contends for. Jobs of one lane never hold up those of another.';
      comment on column job.attempt is 'How often the job was leased.';
      comment on column job.failures is 'How often the job failed: its holder was lost, or gave it back as failed.';
      comment on column job.asked is 'How often the job was added. A job that is added while it is done is done again.';
      comment on column job.lease_ms is 'The length of the lease; null when an older version wrote it.';
      comment on column job.paused_at is 'When ready_at was set.';
      comment on table job_news is 'Jobs that were added in the transaction of their event. The feed takes the row when it brings the event, and adds no job then.';
      comment on table known_vault is 'Which vault each region has. It tells a vault that is missing, or another in its place, from a new one.';

      comment on table instance_credential is 'The passwords of instances, as ciphertext. Its key is never in the database.';
      comment on table idempotent_request is 'Requests with an idempotency key, and their answers, for a day.';
      comment on column idempotent_request.fingerprint is 'A digest of method, path and body. A body may hold a password.';
      comment on column idempotent_request.resource_id is 'The id of what the request makes. A repeated request makes the same id.';
      comment on column idempotent_request.status is 'The status of the answer; null until the request has had its effect.';
      comment on column idempotent_request.body is 'The answer as it was sent. As jsonb it would lose its order.';
      comment on table request_count is 'How many requests of an operation an account has made in the period. It is not logged: a crash may lose it.';

      comment on table slot_timer is 'One row for each schedule: the next slot that is to be decided.';
      comment on column slot_timer.version is 'The version of the schedule that the row reflects. An older event changes nothing.';
      comment on column slot_timer.ahead is 'The coming slots that a wrong clock has decided before their time. A slot that was decided twice is here twice.';
      comment on column slot_timer.day_of_week is 'Nothing reads it; the next version drops it.';
      comment on column slot_timer.paused is 'Nothing reads it; the next version drops it.';
      comment on column slot_timer.copy_to is 'Nothing reads it; the next version drops it.';
      comment on table steady_time is 'The steady clock of each host: one row for each boot.';
      comment on column steady_time.booted_at_ms is 'When the host booted. This time and the time since the boot make the time of its schedulers.';
      comment on column steady_time.seen_at_ms is 'The newest time that the clock of the host has given.';
    `);
  }

  down = noWayBack;
}

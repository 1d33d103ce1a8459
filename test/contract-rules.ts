/**
 * The rules of the contract, each with the tests that show it, for docs/contract.md. A test is named by its spec and by its
 * title in the source. The run fails when such a test does not exist or did not pass.
 */
import {
  api,
  edge,
  every,
  limits,
  listOfBackups,
  lost,
  parse,
  quotas,
  type Rule,
  runs,
  schedules,
  whole,
} from './contract-rule.js';
import { rulesOfBackups } from './contract-rules-of-backups.js';
import { rulesOfKnownClients } from './contract-rules-of-clients.js';
import { rulesOfDeletion } from './contract-rules-of-deletion.js';
import { rulesOfExplanations } from './contract-rules-of-explanations.js';
import { rulesOfInstances } from './contract-rules-of-instances.js';
import { rulesOfPreviews } from './contract-rules-of-previews.js';
import { rulesOfRestorable } from './contract-rules-of-restorable.js';
import { apart, audit, rulesOfRights } from './contract-rules-of-rights.js';
import { rulesOfSchedules } from './contract-rules-of-schedules.js';
import { rulesOfWebhooks } from './contract-rules-of-webhooks.js';

const oneAndEach = 'comes in pages in order of id, whose links lead to all of them once';
const newestFirst = 'comes newest first in pages of twenty, whose links keep every filter and lead to all of them once';

export const contractRules: Readonly<Record<string, readonly Rule[]>> = {
  'The response codes of the reference page': [
    {
      rule: '202: the request was accepted.',
      shown: [schedules('is answered as the reference page has it, and runs first on the day that it is made')],
    },
    {
      rule: '400: an element is missing or a value is wrong. The answer names it.',
      shown: [parse('is refused without %s, by name'), whole('http-api', 'with %s is a 400 that names it')],
    },
    {
      rule: '401: the request has no token, or a wrong one.',
      shown: [edge('$method $path is for nobody without a token, or with a wrong one')],
    },
    {
      rule: '403: the token is of another account, or its role may not do this.',
      shown: [
        edge('$method $path is not for a token of another account'),
        edge('an observer may look, a creator may do all but delete, another role nothing'),
      ],
    },
    {
      rule: '404: the thing that was asked for is not there.',
      shown: [every('is a 404 of what is not there: $method $path')],
    },
    {
      rule: '405: the path does not have the method. `Allow` lists those that it has.',
      shown: [edge('is every other method on $path: a 405 that says which there are')],
    },
    {
      rule: '413: the quota of schedules is reached.',
      shown: [limits('is never exceeded, however many ask at once and wherever')],
    },
    {
      rule: '413: another quota of the account is reached: its instances, its built servers, or what it stores.',
      shown: [
        quotas('of instances is never exceeded, however many ask at once, and has room again when one is forgotten'),
        quotas('of stored bytes lets nothing new begin: a backup and a copy are refused, and say why'),
      ],
    },
    {
      rule: '503: an address has as many requests in hand as one may have, or as many bytes in bodies above 2 KiB. Behind a proxy that the operator has listed, the address is that of the client.',
      shown: [
        api(
          'edge/proxies.int.spec.ts',
          'a client with too many requests in hand is answered 503, and no other client of the proxy is',
        ),
        api('edge/proxies.int.spec.ts', 'large bodies beyond their room are a 503, and small ones are taken'),
        api('edge/proxies.int.spec.ts', 'limits, log and audit go by the address that the proxy tells'),
        api('edge/proxies.int.spec.ts', 'without a listed proxy nobody is believed about addresses'),
      ],
    },
    {
      rule: '413: too many wrong tokens came from an address. A token that is right is let in.',
      shown: [quotas('that are wrong are refused with 413 when an address sends too many, and a right one is let in')],
    },
    {
      rule: '413: the account has asked too often. `Retry-After` says when to ask again.',
      shown: [every('is a 413 with Retry-After when it is asked too often: $method $path')],
    },
    {
      rule: '413: a schedule, an instance or a hold was changed 200 times within a day, or a copy was asked for so often. `Retry-After` says when to ask again.',
      shown: [
        api(
          'edge/changes-a-day.int.spec.ts',
          'a %s may be changed 200 times a day, so that nobody makes histories grow without end: then it is a 413 that says when',
        ),
      ],
    },
    { rule: '413: the body is too large.', shown: [edge('of more than 64 KiB is a 413, said or found out')] },
    {
      rule: '415: the body is not JSON in UTF-8.',
      shown: [edge('of another type is a 415: %s'), edge('without a type, or packed, is a 415')],
    },
    {
      rule: '422: the instance has a schedule already, or a backup of it runs already.',
      shown: [
        schedules('is the only one of its instance: a second is refused, and names the first'),
        schedules('is refused while a backup of the instance runs, and changes nothing then'),
      ],
    },
    {
      rule: '500: the service failed. Its log has the reason under the request id of the answer.',
      shown: [every('is a 500 that tells nothing but the id of the request: $method $path')],
    },
    {
      rule: '501: HA groups do not exist yet, and a service of backups does not resize or restart a server.',
      shown: [
        schedules('needs an instance of this account, said once or twice the same'),
        api(
          'instances/instances.int.spec.ts',
          'is not resized or restarted by a service of backups, least of all while it is backed up',
        ),
      ],
    },
    {
      rule: "503: the ledger's database is away. `Retry-After` says when to ask again.",
      shown: [
        every('is a 503 with Retry-After: $method $path'),
        whole('faults', 'makes the API answer 503 with Retry-After, and 202 again when it is back'),
      ],
    },
  ],
  ...rulesOfSchedules,
  ...rulesOfBackups,
  ...rulesOfDeletion,
  ...rulesOfInstances,
  Identity: [
    {
      rule: 'Versions, health and documents need no token.',
      shown: [edge('need not be said for what tells of nobody')],
    },
    {
      rule: 'A request without a token or with a wrong one is a 401. One with a token of another account is a 403.',
      shown: [
        edge('$method $path is for nobody without a token, or with a wrong one'),
        edge('$method $path is not for a token of another account'),
      ],
    },
    {
      rule: 'The role admin may do everything, creator everything but DELETE, and observer only GET. The audit is for an admin alone.',
      shown: [
        edge('an observer may look, a creator may do all but delete, another role nothing'),
        audit('is told to the account alone, and to whoever has the right for it'),
      ],
    },
    ...rulesOfRights,
    {
      rule: 'An account never sees, changes or uses what belongs to another, by any route or stream.',
      shown: [
        edge('never see, change or use what is the other’s'),
        apart('is not told, used or changed by $method $path'),
        apart('is in no stream of events, wherever the stream begins'),
      ],
    },
    {
      rule: 'While Keystone does not answer, nobody is let in.',
      shown: [
        api('edge/keystone.int.spec.ts', 'lets nobody in while Keystone is away, says so, and goes on when it is back'),
      ],
    },
  ],
  Faults: [
    {
      rule: 'Every fault has one shape and a request id, even the answer to a request that is hardly HTTP.',
      shown: [edge('is answered by a fault with a request id too: %j')],
    },
    {
      rule: 'Where what the account has does not allow what was asked, `refusal` says why, in a word for programs that stays.',
      shown: [
        api(
          'edge/http-fault.spec.ts',
          'is answered as a fault of the contract, in its own words and with its code: %s',
        ),
      ],
    },
    {
      rule: 'The request id is in the answer and in the log.',
      shown: [
        api(
          'edge/request-ids.int.spec.ts',
          'has an id of ours in the answer and in the log, and what the client calls it beside that',
        ),
      ],
    },
    {
      rule: 'A 202 means that the request is on the disk. It survives the death of every process.',
      shown: [
        whole('killed-processes', 'right after its 202 loses nothing: what the API accepted is there and is done'),
      ],
    },
    {
      rule: 'Any other answer means that nothing was written, except a 503 whose `details` say that the outcome is unknown.',
      shown: [
        lost('has a true answer, whichever answer of the database %s'),
        api(
          'edge/fuzz-with-cuts.int.spec.ts',
          'has a true answer though connections to the database are cut at random',
        ),
        schedules('is not changed at all when part of the change is wrong'),
        api(
          'edge/database-away.int.spec.ts',
          'makes every operation of an account a 503 with Retry-After, writes nothing, and is taken up again by itself',
        ),
      ],
    },
    {
      rule: 'A 503 that changed nothing says so in its `message`.',
      shown: [
        api(
          'edge/database-away.int.spec.ts',
          'makes every operation of an account a 503 with Retry-After, writes nothing, and is taken up again by itself',
        ),
      ],
    },
    {
      rule: 'When the database is lost while a request is recorded, the service asks again until it knows the outcome. When it cannot find out in time, the answer is a 503 whose `details` say that the outcome is unknown.',
      shown: [
        lost('is done, and says so, when the answer of its commit alone was lost'),
        lost('is a 503 that says so, and names the resource, the list, the events and the key by which to find out'),
      ],
    },
    {
      rule: 'The outcome of such a request is found at the resource, in the list or among the events, as the `details` say. A request with an `Idempotency-Key` is best sent again: it takes effect once.',
      shown: [
        lost('is a 503 that says so, and names the resource, the list, the events and the key by which to find out'),
        lost('is found out by the same request with its key, which does nothing twice and gives the first answer'),
      ],
    },
    {
      rule: 'The answer to a POST is made from what was recorded. After the record nothing turns a success into an error.',
      shown: [
        lost('is answered though nothing can be read any more after its commit'),
        lost('are told of one schedule, though every read of the views fails'),
      ],
    },
    {
      rule: 'A broker that is down causes no 503.',
      shown: [whole('broker-outage', 'stops no 202: everything that was accepted meanwhile arrives when it is back')],
    },
  ],
  Lists: [
    {
      rule: '`limit` has a default and a maximum, which a deployment configures. A larger limit is cut to the maximum.',
      shown: [
        api(
          'edge/paging.int.spec.ts',
          'has as many items as the deployment says, and no more however many are asked for',
        ),
        listOfBackups(newestFirst),
      ],
    },
    {
      rule: '`marker` is the id of the last item seen. With 0, a list begins at its start.',
      shown: [
        schedules(oneAndEach),
        runs('come in pages of %i, the coming one counted, whose links lead to all of them once'),
      ],
    },
    {
      rule: 'Schedules and instances are listed by id, backups and runs with the newest first.',
      shown: [
        schedules(oneAndEach),
        api('instances/instances.int.spec.ts', 'comes in order of id in pages of at most twenty'),
        listOfBackups(newestFirst),
      ],
    },
    {
      rule: 'A next link keeps every filter, and leads to where clients reach the service.',
      shown: [
        schedules('keeps its filters in its links'),
        api('edge/paging.int.spec.ts', 'links to the next where clients reach the service, however the request came'),
      ],
    },
    {
      rule: 'A whole list has no next link. A bare `?` at the end of a URL means nothing.',
      shown: [schedules('has no next link when it ends just where the page does')],
    },
    {
      rule: 'An unknown marker or a wrong limit is a 400.',
      shown: [schedules('takes no %s'), listOfBackups('is not asked for with %s')],
    },
  ],
  'Promises to a client': [
    {
      rule: 'A read that starts after a 202 shows the change, through any process.',
      shown: [
        whole('http-api', 'reflects a change at once through another API process, and is gone when it was deleted'),
      ],
    },
    {
      rule: 'A repeated `Idempotency-Key` gets the first answer again within 24 hours.',
      shown: [limits('gives the first answer again, through any process, and does nothing twice')],
    },
    {
      rule: 'The same key with another body is a 422.',
      shown: [limits('with another body, or of another operation, is a 422')],
    },
    {
      rule: '`If-Match` answers 412 when the resource has changed.',
      shown: [limits('lets a change pass only on what the client has read'), limits('holds for backups and instances')],
    },
    {
      rule: 'Every event that follows from a request carries the id in the `X-Request-Id` of its answer as `request_id`. The `X-Request-Id` of the request is beside it, as `client_request_id` and in the answer as `X-Client-Request-Id`.',
      shown: [
        api('edge/request-ids.int.spec.ts', 'carries its id and its caller into the events that follow from it'),
        whole('request-ids', 'has its id in what every process logs of what follows from it'),
      ],
    },
    ...rulesOfExplanations,
    ...rulesOfPreviews,
    ...rulesOfRestorable,
    {
      rule: '`GET /regions` (+) has for each region `copying`, the copies that bring bytes there now with the bytes a second of the last ten seconds, and `limits`, what holds them back as the replicators have told it within the last minute.',
      shown: [
        api('service/regions.int.spec.ts', 'tell how many copies of the account come there now, and how fast'),
        api('service/regions.int.spec.ts', 'tell a token of some instances of the copies of these instances alone'),
        api(
          'service/regions.int.spec.ts',
          'tell what holds copies to them back, as the replicators have told it, and null when none has',
        ),
      ],
    },
    ...rulesOfWebhooks,
    {
      rule: 'Events are listed by marker, and streamed live. A stream goes on after `Last-Event-ID`.',
      shown: [
        api('events/events.int.spec.ts', 'goes on after a marker, page by page'),
        api(
          'events/events.int.spec.ts',
          'goes on after the last event seen, with none lost or repeated, also when none was seen',
        ),
        api(
          'events/shared-tail.int.spec.ts',
          'begin and end while events come, and each tells all of them in order, none twice',
        ),
        api(
          'events/shared-tail.int.spec.ts',
          'lose nothing when a client reads slower than events come, and keep no other waiting',
        ),
      ],
    },
    {
      rule: 'With `since`, the list and the stream of events (+) begin at an instant, with up to a minute of what came before it. A marker and `Last-Event-ID` count instead.',
      shown: [
        api('events/events.int.spec.ts', 'are listed and streamed without those that came earlier, but for a minute'),
        api('events/events.int.spec.ts', 'go on after what a client has seen, whatever the instant'),
        api('events/events.int.spec.ts', 'are a 400 that says what an instant is: %j'),
      ],
    },
    {
      rule: 'When the last event that a client of the stream has seen is not in the ledger, the stream tells `event: reset` with `last_event_id` and `message`, and all events follow from the first on. An unknown `Last-Event-ID` is no 400, and an outage no 503: either would end an EventSource for ever.',
      shown: [
        api('events/event-streams.int.spec.ts', 'whose last event the ledger has lost says so, and begins anew'),
        api(
          'events/event-streams.int.spec.ts',
          'that a client wants to go on after %s, which is not there, begins anew and says so',
        ),
        api('events/event-streams.int.spec.ts', 'that is asked for while the database is away begins when it is back'),
      ],
    },
  ],
  'What known clients do': rulesOfKnownClients,
};

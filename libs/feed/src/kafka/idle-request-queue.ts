/**
 * Keeps an idle connection of kafkajs idle. kafkajs 2.2.4 checks its queue of requests after a time that lies in the
 * past when nothing waits there: Node warns of it, and the check comes again every millisecond for as long as the
 * connection is open. A check is needed only while a request waits.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded() {
  if (this.pending.length > 0) schedule.call(this);
};

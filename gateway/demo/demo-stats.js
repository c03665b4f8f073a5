// What the demo page counts over all connections: a minute of rates and latencies, the last messages. No DOM. All bounded.

export const kBucketMs = 1000;
export const kBuckets = 60; // one minute
const kSamplesMax = 16384; // latencies kept of one bucket
const kEntriesMax = 200;

/** Of a sorted array; null: it is empty. */
export function quantile(sorted, q) {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export const sortedNumbers = (numbers) => numbers.slice().sort((a, b) => a - b);

function emptyBucket() {
  return { byGateway: new Map(), sent: 0, delivered: 0, lost: 0, samples: [], p50: null, p99: null };
}

/** The last minute in buckets, the oldest first; the one being filled is not among them. */
export class Timeline {
  buckets = [];
  #open = emptyBucket();
  #end;

  constructor(now) {
    this.#end = now + kBucketMs;
  }

  sent() {
    ++this.#open.sent;
  }

  delivered(gateway, latency) {
    const bucket = this.#open;
    ++bucket.delivered;
    bucket.byGateway.set(gateway, (bucket.byGateway.get(gateway) ?? 0) + 1);
    if (latency !== null && bucket.samples.length < kSamplesMax) bucket.samples.push(latency);
  }

  lost() {
    ++this.#open.lost;
  }

  /** Ends the buckets whose time has come. True: there is something new. */
  advance(now) {
    if (now < this.#end) return false;
    // A page that was in the background gets a hole, not thousands of buckets.
    const behind = Math.min(kBuckets, Math.floor((now - this.#end) / kBucketMs));
    this.#close();
    for (let i = 0; i < behind; ++i) this.#close();
    this.#end = now - ((now - this.#end) % kBucketMs) + kBucketMs;
    return true;
  }

  #close() {
    const bucket = this.#open;
    const sorted = sortedNumbers(bucket.samples);
    bucket.p50 = quantile(sorted, 0.5);
    bucket.p99 = quantile(sorted, 0.99);
    bucket.samples = [];
    this.buckets.push(bucket);
    if (this.buckets.length > kBuckets) this.buckets.shift();
    this.#open = emptyBucket();
  }

  /** Per second, over the last second. `pick` takes the number out of a bucket. */
  perSecond(pick) {
    const last = this.buckets.slice(-1000 / kBucketMs);
    if (last.length === 0) return 0;
    return (last.reduce((sum, bucket) => sum + pick(bucket), 0) * 1000) / (last.length * kBucketMs);
  }

  /** The newest bucket that has latencies, or null. */
  latest() {
    return this.buckets.findLast((bucket) => bucket.p50 !== null) ?? null;
  }
}

/** The last messages, each with what all connections together saw of it. */
export class MessageLog {
  entries = [];
  changed = false;
  #byKey = new Map();

  clear() {
    this.entries = [];
    this.#byKey.clear();
    this.changed = true;
  }

  /** Finds or makes it. `expected`: how many connections are open now, as the message is sent or first heard. */
  entry(key, make, expected) {
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      entry = { ...make(), key, at: Date.now(), heard: 0, expected: expected(), min: null, max: null };
      this.#byKey.set(key, entry);
      this.entries.push(entry);
      if (this.entries.length > kEntriesMax) this.#byKey.delete(this.entries.shift().key);
    }
    this.changed = true;
    return entry;
  }

  static heard(entry, latency) {
    ++entry.heard;
    if (entry.heard > entry.expected) entry.expected = entry.heard;
    if (latency === null) return;
    if (entry.min === null || latency < entry.min) entry.min = latency;
    if (entry.max === null || latency > entry.max) entry.max = latency;
  }
}

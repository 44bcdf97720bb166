// Where node-oidc-provider keeps its records: the provider's own memory adapter forgets all but the
// last thousand, so these two stand in, with the methods its documentation asks for.

const OF_GRANTS = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

export function inMemory() {
  const records = new Map();
  const members = new Map();
  return class {
    constructor(kind) {
      this.kind = kind;
    }

    async upsert(id, payload) {
      records.set(this.kind + id, payload);
      if (OF_GRANTS.has(this.kind) && payload.grantId) {
        const some = members.get(payload.grantId);
        if (some) some.push(this.kind + id);
        else members.set(payload.grantId, [this.kind + id]);
      }
    }

    async find(id) {
      return records.get(this.kind + id);
    }

    async destroy(id) {
      records.delete(this.kind + id);
    }

    async revokeByGrantId(grantId) {
      for (const key of members.get(grantId) ?? []) records.delete(key);
      members.delete(grantId);
    }
  };
}

export function inRedis(redis) {
  return class {
    constructor(kind) {
      this.kind = kind;
    }

    async upsert(id, payload, seconds) {
      const key = this.kind + id;
      const all = redis.multi().set(key, JSON.stringify(payload), 'EX', seconds);
      if (OF_GRANTS.has(this.kind) && payload.grantId) {
        all.rpush(`grant:${payload.grantId}`, key).expire(`grant:${payload.grantId}`, seconds);
      }
      await all.exec();
    }

    async find(id) {
      const text = await redis.get(this.kind + id);
      return text ? JSON.parse(text) : undefined;
    }

    async destroy(id) {
      await redis.del(this.kind + id);
    }

    async revokeByGrantId(grantId) {
      const keys = await redis.lrange(`grant:${grantId}`, 0, -1);
      await redis.del(`grant:${grantId}`, ...keys);
    }
  };
}

-- Rate limits, as token buckets: a bucket holds at most burst requests (and a minute's worth of
-- tokens), is filled at the rate of the limit, and each chat takes one request, and its tokens, out
-- of it. A chat goes through while there is one request, and any tokens at all; so tokens may go
-- below nothing, by what one chat takes, and the next one waits until they are back.

create or replace function uplift.limit_address(p_address text) returns text
language plpgsql immutable
as $$
begin
    if p_address ~ '^(\d{1,3}\.){3}\d{1,3}$' then
        return p_address;
    elsif p_address !~ '^[0-9A-Fa-f:.]{2,45}$' then
        return null;
    end if;
    -- A customer of a provider has a whole /64 of IPv6.
    return network(set_masklen(p_address::inet, 64))::text;
exception when data_exception then
    return null;
end
$$;

comment on function uplift.limit_address(text) is
    'What an address is limited as: itself, or its /64 network; null for what is no address, as of a Unix socket.';

-- Calls are arrays side by side, which cost a fraction of what JSON would: each chat comes by here.
create or replace function uplift.wanted_buckets(p_n int[], p_users text[], p_addresses text[], p_keys text[], p_tokens int[])
returns table (n int, tokens int, scope text, bucket text, rpm int, tpm int, burst int)
language sql stable
as $$
    select c.n, coalesce(c.tokens, 0), s.scope, s.scope || ':' || s.key, coalesce(o.requests_per_minute, d.requests_per_minute),
        coalesce(o.tokens_per_minute, d.tokens_per_minute),
        coalesce(o.burst, o.requests_per_minute, d.burst, d.requests_per_minute)
    from unnest(p_n, p_users, p_addresses, p_keys, p_tokens) as c(n, user_id, address, api_key, tokens)
    cross join lateral (values ('user', c.user_id), ('api_key', c.api_key), ('address',
        case when c.address ~ '^[0-9.]+$' then c.address else uplift.limit_address(c.address) end)) as s(scope, key)
    left join uplift.rate_limits o on o.scope = s.scope and o.key = s.key
        and coalesce(o.requests_per_minute, o.tokens_per_minute) is not null
    left join uplift.rate_limits d on o.scope is null and d.scope = s.scope and d.key = ''
    where s.key is not null
        and coalesce(o.requests_per_minute, o.tokens_per_minute, d.requests_per_minute, d.tokens_per_minute) is not null
$$;

comment on function uplift.wanted_buckets(int[], text[], text[], text[], int[]) is
    'The buckets that calls take from, each with its limits: the user''s, address''s or API key''s own, else those of each. Parameters as of uplift.charge_limits.';

create or replace function uplift.limits_text(p_rpm int, p_tpm int, p_burst int, p_requests double precision, p_tokens double precision,
    p_charged int) returns text
language plpgsql stable
as $$
begin
    return concat_ws(' ',
        coalesce(p_rpm, 0),
        case when p_rpm is null then 0 else greatest(floor(p_requests + 0.000001), 0)::bigint end,
        case when p_rpm is null then 0 else ceil(greatest(p_burst - p_requests, 0) * 60000 / p_rpm)::bigint end,
        coalesce(p_tpm, 0),
        case when p_tpm is null then 0 else greatest(floor(p_tokens), 0)::bigint end,
        case when p_tpm is null then 0 else ceil(greatest(p_tpm - p_tokens, 0) * 60000 / p_tpm)::bigint end,
        coalesce(p_charged, 0));
end
$$;

comment on function uplift.limits_text(int, int, int, double precision, double precision, int) is
    'What is left of a bucket, as workers tell clients: requests a minute, those left, ms until it is full of them; the same of tokens; tokens charged. A rate of 0 is no limit.';

create or replace function uplift.charge_limits(p_n int[], p_users text[], p_addresses text[], p_keys text[], p_tokens int[])
returns table (n int, limits text, refusal jsonb)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_call record;
    v_is_enough boolean := true;
begin
    -- Mostly there is enough for all who come together, and then one pass is all it takes: all is
    -- taken, and what is there is looked at. The order of keys is the order of locks, so that two
    -- round trips cannot wait for each other.
    for v_call in
        with wanted as materialized (
            select w.* from uplift.wanted_buckets(p_n, p_users, p_addresses, p_keys, p_tokens) w
        ), filled as (
            -- What a full bucket has, less what is taken, is in the row that would be new.
            insert into uplift.rate_buckets as r (key, requests, tokens, filled_at, rpm, tpm, took, took_tokens)
            select w.bucket, coalesce(min(w.burst), 0) - count(*), coalesce(min(w.tpm), 0) - sum(w.tokens), v_now, coalesce(min(w.rpm), 0),
                coalesce(min(w.tpm), 0), count(*), sum(w.tokens)
            from wanted w group by w.bucket order by w.bucket
            on conflict (key) do update set
                requests = least(excluded.requests + excluded.took, r.requests
                    + greatest(extract(epoch from excluded.filled_at - r.filled_at), 0)::double precision / 60 * excluded.rpm) - excluded.took,
                tokens = least(excluded.tokens + excluded.took_tokens, r.tokens
                    + greatest(extract(epoch from excluded.filled_at - r.filled_at), 0)::double precision / 60
                    * (excluded.tokens + excluded.took_tokens)) - excluded.took_tokens,
                filled_at = greatest(r.filled_at, excluded.filled_at), rpm = excluded.rpm, tpm = excluded.tpm, took = excluded.took,
                took_tokens = excluded.took_tokens
            returning r.key, r.requests, r.tokens, r.took, r.took_tokens
        )
        -- A call is told of the user's or key's bucket, which is what a client can do about, and of its
        -- address' only where it has no other. A millionth more, because what was filled is a fraction.
        -- One chat alone may take more tokens than there are.
        select distinct on (w.n) w.n, w.tokens as charged, w.rpm, w.tpm, w.burst, f.requests, f.tokens,
            bool_and((w.rpm is null or f.requests > -0.000001)
                and (w.tpm is null or f.tokens > 0 or f.took = 1 and f.tokens + f.took_tokens > 0)) over () as is_enough
        from wanted w join filled f on f.key = w.bucket
        order by w.n, w.scope = 'address', f.requests / w.burst nulls last
    loop
        v_is_enough := v_call.is_enough;
        exit when not v_is_enough;
        n := v_call.n;
        limits := uplift.limits_text(v_call.rpm, v_call.tpm, v_call.burst, v_call.requests, v_call.tokens, v_call.charged);
        return next;
    end loop;
    if v_is_enough then
        return;
    end if;

    -- All is put back, and of the chats that share a bucket the first ones go through.
    update uplift.rate_buckets r set requests = r.requests + r.took, tokens = r.tokens + r.took_tokens
    where r.key in (select w.bucket from uplift.wanted_buckets(p_n, p_users, p_addresses, p_keys, p_tokens) w);
    return query
    with weighed as (
        select w.*, r.requests as there, r.tokens as tokens_there,
            row_number() over (partition by w.bucket order by w.n) as place,
            coalesce(sum(w.tokens) over (partition by w.bucket order by w.n rows between unbounded preceding and 1 preceding), 0) as taken
        from uplift.wanted_buckets(p_n, p_users, p_addresses, p_keys, p_tokens) w join uplift.rate_buckets r on r.key = w.bucket
    ), judged as (
        select x.*, (x.rpm is null or x.place <= x.there + 0.000001) as has_request,
            (x.tpm is null or x.tokens_there - x.taken > 0) as has_tokens
        from weighed x
    ), verdicts as materialized (
        select j.n, bool_and(j.has_request and j.has_tokens) as goes from judged j group by j.n
    ), charged as (
        update uplift.rate_buckets r set requests = r.requests - c.requests, tokens = r.tokens - c.tokens
        from (select j.bucket, count(*) as requests, sum(j.tokens) as tokens
            from judged j join verdicts v on v.n = j.n and v.goes group by j.bucket) c
        where r.key = c.bucket
    ), told as (
        -- The bucket that refuses; else the user's or key's.
        select distinct on (j.n) j.*, v.goes, case when v.goes then 1 else 0 end as mine
        from judged j join verdicts v on v.n = j.n
        order by j.n, j.has_request and j.has_tokens, j.scope = 'address', j.scope = 'user'
    )
    select t.n, uplift.limits_text(t.rpm, t.tpm, t.burst, t.there - t.place + 1 - t.mine, t.tokens_there - t.taken - t.mine * t.tokens,
            t.mine * t.tokens),
        case when t.goes then null
            when t.has_request then uplift.limit_refusal(t.scope, 'tokens', t.tpm, t.tokens_there)
            else uplift.limit_refusal(t.scope, 'requests', t.rpm, t.there) end
    from told t;
end
$$;

comment on function uplift.charge_limits(int[], text[], text[], text[], int[]) is
    'Takes what calls need out of their buckets, which are filled up before (new ones are full). Arrays side by side: p_n their order; users, addresses and API keys to charge (null: none); tokens. One row for each call that has a limit: what of it is left (uplift.limits_text), and the refusal (as of uplift_chat.prepare_chats) of one that takes nothing.';

create or replace function uplift.limit_refusal(p_scope text, p_what text, p_rate int, p_there double precision) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('status', 429, 'code', 'rate_limit_exceeded', 'type', case p_what when 'tokens' then 'tokens' else 'requests' end,
        'message', format('the limit of %s %s a minute for this %s is reached; try again in %s s',
            p_rate, p_what, replace(p_scope, '_', ' '), ceil(w.ms / 1000.0)),
        'retry_after_ms', w.ms)
    from (select greatest(ceil((1 - p_there) * 60000 / p_rate), 1)::bigint as ms) w
$$;

comment on function uplift.limit_refusal(text, text, int, double precision) is
    'Why a call is refused, and until when: its bucket of p_what (requests, tokens, feedback calls) has so much, and is filled at p_rate a minute.';

-- Feedback has buckets of its own. A call of it takes one of each that applies, and waits for nobody
-- but calls of the same user, address or API key.
create or replace function uplift.charge_feedback(p_user_id uuid, p_address text, p_api_key text, p_calls int) returns jsonb
language plpgsql volatile
as $$
declare
    v_limit record;
    v_left double precision;
    v_refusal jsonb;
    v_calls int;
begin
    for v_limit in
        -- In the order of keys, which is the order of locks.
        select s.scope, concat_ws(':', 'feedback', s.scope, s.key) as bucket, coalesce(o.feedback_per_minute, d.feedback_per_minute) as rate
        from (values ('address', uplift.limit_address(p_address)), ('api_key', p_api_key), ('user', p_user_id::text)) as s(scope, key)
        left join uplift.rate_limits o on o.scope = s.scope and o.key = s.key
        left join uplift.rate_limits d on d.scope = s.scope and d.key = ''
        where s.key is not null and coalesce(o.feedback_per_minute, d.feedback_per_minute) is not null
        order by 1
    loop
        -- More than a minute's worth takes all that a bucket can hold, or it could never be done.
        v_calls := least(p_calls, v_limit.rate);
        insert into uplift.rate_buckets as r (key, requests, tokens, filled_at, rpm, tpm, took, took_tokens)
        values (v_limit.bucket, v_limit.rate - v_calls, 0, clock_timestamp(), v_limit.rate, 0, v_calls, 0)
        on conflict (key) do update set
            requests = least(excluded.rpm, r.requests
                + greatest(extract(epoch from excluded.filled_at - r.filled_at), 0)::double precision / 60 * excluded.rpm) - v_calls,
            filled_at = greatest(r.filled_at, excluded.filled_at), rpm = excluded.rpm, took = excluded.took
        returning r.requests into v_left;
        if v_left < -0.000001 then
            v_refusal := uplift.limit_refusal(v_limit.scope, 'feedback calls', v_limit.rate, v_left + 1);
            raise exception 'refused' using errcode = 'UP429';
        end if;
    end loop;
    return null;
exception when sqlstate 'UP429' then
    -- Nothing was taken, of the others neither.
    return v_refusal;
end
$$;

comment on function uplift.charge_feedback(uuid, text, text, int) is
    'Takes so many calls of feedback out of the buckets of a user, an address and an API key (null: none). Null, or the refusal as of uplift.prepare_chat, and then nothing is taken.';

-- What chats took in truth, when they are over; workers gather it and tell it each second, so that no
-- bucket is held while an answer is made durable.
create or replace function uplift.settle_limits(p_tokens jsonb) returns void
language sql volatile
as $$
    update uplift.rate_buckets r set tokens = r.tokens - s.tokens
    from (select b.key, t.tokens
        from (
            -- Workers know addresses as they are, and of IPv6 several may share a bucket.
            select case when p.key like 'address:%' then 'address:' || uplift.limit_address(substr(p.key, 9)) else p.key end as key,
                sum((p.value #>> '{}')::double precision) as tokens
            from jsonb_each(p_tokens) p group by 1) t
        join uplift.rate_buckets b on b.key = t.key
        where b.tpm > 0
        order by b.key for update of b) s
    where r.key = s.key
$$;

comment on function uplift.settle_limits(jsonb) is 'Takes more tokens out of the buckets that are limited in them: {bucket: tokens}, an address in its bucket''s name as a client has it; less than nothing gives back.';

-- Whoever has used up a limit is refused before anything is looked up for them. Nothing is held for
-- this: it is charge_limits that counts.
create or replace function uplift.refuse_at_once(p_n int[], p_users text[], p_addresses text[], p_keys text[])
returns table (n int, limits text, refusal jsonb)
language plpgsql stable
as $$
#variable_conflict use_column
begin
    -- Mostly nobody has, which the buckets as they were last filled tell.
    if not exists (select from uplift.rate_buckets b
            where b.key = any (array(
                    select 'user:' || u from unnest(p_users) u union all select 'api_key:' || k from unnest(p_keys) k
                    union all select 'address:' || case when a ~ '^[0-9.]+$' then a else uplift.limit_address(a) end
                    from unnest(p_addresses) a))
                and (b.rpm > 0 and b.requests < 1 or b.tpm > 0 and b.tokens <= 0)) then
        return;
    end if;
    return query
    select distinct on (w.n) w.n, uplift.limits_text(w.rpm, w.tpm, w.burst, f.requests, f.tokens, 0),
        case when f.has_request is false then uplift.limit_refusal(w.scope, 'requests', w.rpm, f.requests)
            else uplift.limit_refusal(w.scope, 'tokens', w.tpm, f.tokens) end
    from uplift.wanted_buckets(p_n, p_users, p_addresses, p_keys, array_fill(0, array[cardinality(p_n)])) w
    join uplift.rate_buckets b on b.key = w.bucket
    cross join lateral (
        select x.requests, x.tokens, x.requests > 0.999999 as has_request, x.tokens > 0 as has_tokens
        from (select least(w.burst, b.requests + m.minutes * w.rpm) as requests, least(w.tpm, b.tokens + m.minutes * w.tpm) as tokens
            from (select greatest(extract(epoch from clock_timestamp() - b.filled_at), 0)::double precision / 60 as minutes) m) x) f
    where f.has_request is false or f.has_tokens is false
    order by w.n, w.scope = 'address', w.scope = 'user';
end
$$;

comment on function uplift.refuse_at_once(int[], text[], text[], text[]) is
    'Of calls, given as to uplift.charge_limits, those whose user, address or API key has nothing left, each with what is left and the refusal.';

-- --- admins ---

create or replace function uplift.rate_limit_json(p_limit uplift.rate_limits) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'rate_limit', 'scope', p_limit.scope, 'key', nullif(p_limit.key, ''),
        'requests_per_minute', p_limit.requests_per_minute, 'tokens_per_minute', p_limit.tokens_per_minute,
        'burst', p_limit.burst, 'feedback_per_minute', p_limit.feedback_per_minute, 'updated_at', p_limit.updated_at, 'updated_by', p_limit.updated_by)
$$;

comment on function uplift.rate_limit_json(uplift.rate_limits) is 'A rate limit as admins see it; key null is each that has none of its own.';

create or replace function uplift_batch.admin_list_rate_limits(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(uplift.rate_limit_json(l) order by l.scope, l.key), '[]') from uplift.rate_limits l));
end
$$;

comment on function uplift_batch.admin_list_rate_limits(uuid, jsonb, text) is 'All rate limits.';

create or replace function uplift.limit_key(p_arguments jsonb) returns text
language plpgsql immutable
as $$
declare
    v_scope text := uplift.text_argument(p_arguments, 'scope', 20);
    v_key text := uplift.text_argument(p_arguments, 'key', 100);
begin
    if v_scope is null or v_scope not in ('user', 'address', 'api_key') then
        perform uplift.fail(400, 'invalid_scope', 'scope must be user, address or api_key', 'scope');
    elsif v_scope = 'address' and v_key is not null then
        v_key := uplift.limit_address(v_key);
        if v_key is null then
            perform uplift.fail(400, 'invalid_key', 'the key of an address is an IP address', 'key');
        end if;
    elsif v_scope <> 'address' and not uplift.is_uuid_key(v_key) then
        perform uplift.fail(400, 'invalid_key', 'the key of a user or API key is a UUID, in small letters', 'key');
    end if;
    return coalesce(v_key, '');
end
$$;

comment on function uplift.limit_key(jsonb) is 'The key of a rate limit as it is kept, checked. UP400 invalid_scope, invalid_key.';

create or replace function uplift_batch.admin_put_rate_limit(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text := uplift.limit_key(p_arguments);
    v_limit uplift.rate_limits;
begin
    perform uplift.check_arguments(p_arguments, '{scope,key,requests_per_minute,tokens_per_minute,burst,feedback_per_minute}');
    insert into uplift.rate_limits as l (scope, key, requests_per_minute, tokens_per_minute, burst, feedback_per_minute, updated_by)
    values (p_arguments ->> 'scope', v_key, uplift.whole_argument(p_arguments, 'requests_per_minute', 1, 1000000000),
        uplift.whole_argument(p_arguments, 'tokens_per_minute', 1, 1000000000), uplift.whole_argument(p_arguments, 'burst', 1, 1000000000),
        uplift.whole_argument(p_arguments, 'feedback_per_minute', 1, 1000000000), p_who)
    on conflict (scope, key) do update set requests_per_minute = excluded.requests_per_minute,
        tokens_per_minute = excluded.tokens_per_minute, burst = excluded.burst,
        feedback_per_minute = excluded.feedback_per_minute, updated_at = now(), updated_by = excluded.updated_by
    returning l.* into v_limit;
    -- Full buckets of the new size, where there were smaller ones.
    delete from uplift.rate_buckets b
    where b.key like v_limit.scope || ':%' and (v_key = '' or b.key = v_limit.scope || ':' || v_key)
        or b.key like 'feedback:' || v_limit.scope || ':%' and (v_key = '' or b.key = concat_ws(':', 'feedback', v_limit.scope, v_key));
    return uplift.rate_limit_json(v_limit);
end
$$;

comment on function uplift_batch.admin_put_rate_limit(uuid, jsonb, text) is
    'Sets the limit of a scope and key: requests_per_minute, tokens_per_minute, burst, feedback_per_minute; what is left out is no limit, but feedback and chats are then under that of each. UP400 invalid_scope, invalid_key, invalid_NAME.';

create or replace function uplift_batch.admin_delete_rate_limit(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit uplift.rate_limits;
begin
    perform uplift.check_arguments(p_arguments, '{scope,key}');
    delete from uplift.rate_limits l where l.scope = p_arguments ->> 'scope' and l.key = uplift.limit_key(p_arguments)
    returning l.* into v_limit;
    if not found then
        perform uplift.fail(404, 'rate_limit_not_found', 'there is no such limit; scope and key name one');
    end if;
    return uplift.rate_limit_json(v_limit);
end
$$;

comment on function uplift_batch.admin_delete_rate_limit(uuid, jsonb, text) is
    'Deletes a limit (?scope=&key=) and returns what it was. UP404 rate_limit_not_found.';

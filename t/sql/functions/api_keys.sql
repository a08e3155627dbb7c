-- API keys: kept as a hash, found until they end or are revoked.
\ir common.psql
select plan(16);

create temp table made as
    select uplift_batch.admin_create_api_key(null, '{"name": "website", "scopes": ["read", "chat", "chat"]}', 'root') as j;
create function pg_temp.made_id() returns uuid language sql as $$ select (j ->> 'id')::uuid from made $$;
create function pg_temp.found() returns setof text language sql as $$
    select f.scopes from made, uplift.find_api_key(encode(sha256(convert_to(j ->> 'key', 'UTF8')), 'hex')) f
$$;

select matches(j ->> 'key', '^upl_[A-Za-z0-9_-]{43}$', 'a key is as long as a hash') from made;
select is(j -> 'scopes', '["chat", "read"]', 'each scope counts once') from made;
select is((select k.key_hash from uplift.api_keys k where k.id = pg_temp.made_id()),
    sha256(convert_to(j ->> 'key', 'UTF8')), 'its hash is kept') from made;
select ok(position(j ->> 'key' in (select k::text from uplift.api_keys k where k.id = pg_temp.made_id())) = 0, 'and the key is not') from made;
select ok(not uplift_batch.admin_get_api_key(pg_temp.made_id(), '{}', 'root') ?| '{key,key_hash}', 'nor told again');
select results_eq('select pg_temp.found()', $$values ('chat,read')$$, 'a key is found by its hash');
select isnt((select k.last_used_at from uplift.api_keys k where k.id = pg_temp.made_id()), null, 'which is a use of it');
select is_empty($$select * from uplift.find_api_key(repeat('0', 64))$$, 'another is not found');

select is(pg_temp.refused($$select uplift_batch.admin_create_api_key(null, '{"name": "x", "scopes": []}', 'root')$$), 'UP400 invalid_scopes scopes', 'no key without scope');
select is(pg_temp.refused($$insert into uplift.api_keys (name, prefix, key_hash, user_id, scopes) values ('x', 'upl_', '\x00', pg_temp.ann(), '{}')$$),
    '23514', 'nor may the table have one');
select is(pg_temp.refused($$select uplift_batch.admin_edit_api_key(pg_temp.made_id(), '{"scopes": ["all"]}', 'root')$$), 'UP400 invalid_scopes scopes', 'nor a scope that is none');

update uplift.api_keys k set expires_at = now() where k.id = pg_temp.made_id();
select is_empty('select pg_temp.found()', 'a key that has ended is not found');
select is(uplift_batch.admin_edit_api_key(pg_temp.made_id(), '{"expires_at": null}', 'root') ->> 'state', 'active', 'it may be given more time');

select is(uplift_batch.admin_revoke_api_key(pg_temp.made_id(), '{}', 'root') ->> 'state', 'revoked', 'a key is revoked');
select is_empty('select pg_temp.found()', 'and found no more');
select is(uplift_batch.admin_revoke_api_key(pg_temp.made_id(), '{}', 'other') ->> 'revoked_by', 'root', 'once: who did it first stays');

select finish();
rollback;

-- What is stored where, for how long, and who looked: for admins.

create or replace function uplift.table_of(p_source text) returns regclass
language sql stable
as $$ select to_regclass((regexp_match(p_source, '(?:^| )((?:public|uplift|auth)\.[a-z_]+)'))[1]) $$;

comment on function uplift.table_of(text) is 'The table that a source of uplift.personal_data() and the like reads foremost.';

create or replace function uplift.store_json(p_name text, p_table regclass, p_kind text) returns jsonb
language sql stable
as $$
    select jsonb_build_object('name', p_name, 'table', p_table::text, 'kind', p_kind, 'what', obj_description(p_table, 'pg_class'),
        -- As of the last vacuum or analyze: counting would read them all. -1: it was never looked at.
        'rows_about', case when c.reltuples >= 0 then c.reltuples::bigint end, 'bytes', pg_total_relation_size(p_table),
        'retention', (select jsonb_build_object('setting', 'retention.' || d.name || '_days', 'days', uplift.retention_days(d.name))
            from uplift.retained_data() d where uplift.table_of(d.source) = p_table limit 1))
    from pg_class c where c.oid = p_table
$$;

comment on function uplift.store_json(text, regclass, text) is
    'A table in which something of users is: kind personal (exported and erased), derived (made of that, and erased with it) or record (what is left).';

create or replace function uplift_batch.admin_privacy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'privacy',
        'stores', (
            select jsonb_agg(uplift.store_json(x.name, x.id, x.kind) order by x.place, x.name) from (
                select distinct on (y.id) y.* from (
                    select d.name, uplift.table_of(d.source) as id, 'personal' as kind, 1000 - d.place as place from uplift.personal_data() d
                    union all
                    select split_part(d.source, '.', 2), uplift.table_of(d.source), 'derived', 2000 + d.place from uplift.derived_data() d
                    union all
                    select v.name, to_regclass(v.source), v.kind, v.place from (values ('users', 'auth.users', 'personal', 0),
                        ('admin_log', 'uplift.admin_log', 'record', 3000), ('erasures', 'uplift.erasures', 'record', 3001)) v(name, source, kind, place)) y
                where y.id is not null order by y.id, y.place) x),
        'consent', jsonb_build_object('training_default', uplift.trains_by_default(), 'experiments_default', uplift.experiments_by_default()),
        'retention_last_run', (
            select uplift.job_json(j) from uplift.batch_jobs j where j.name = 'enforce-retention' and j.status in ('succeeded', 'failed') order by j.id desc limit 1),
        'erasures_open', (select count(*) from (select from uplift.erasures e where e.finished_at is null limit 1000) x),
        'erasures_last', (select coalesce(jsonb_agg(uplift.erasure_json(e) order by e.id desc), '[]') from (
            select x.* from uplift.erasures x order by x.id desc limit 10) e),
        'looked_last', (select coalesce(jsonb_agg(uplift.admin_log_json(l) order by l.at desc, l.id desc), '[]') from (
            select x.* from uplift.admin_log x order by x.at desc, x.id desc limit 20) l));
end
$$;

comment on function uplift_batch.admin_privacy(uuid, jsonb, text) is
    'What is stored of users: stores, each {name, table, kind, what, rows_about, bytes, retention: {setting, days}}; what holds where users did not say (consent), the last run of enforce-retention, erasures that are still to be finished, and the last ones, and who looked last.';

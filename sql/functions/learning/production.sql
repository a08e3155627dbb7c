-- What rollouts have made production: for all coaches, and over it for one. A row that ended says what held before.

create or replace function uplift.changes_in_production(p_coach_id text) returns jsonb
-- In PL/pgSQL, which keeps its plans: each chat asks, while anything is tried or was promoted.
language plpgsql stable
as $$
declare
    v_all jsonb;
    v_own jsonb;
begin
    select c.changes into v_all from uplift.production_changes c where coalesce(c.coach_id, '') = '' and c.ended_at is null;
    select c.changes into v_own from uplift.production_changes c where coalesce(c.coach_id, '') = p_coach_id and c.ended_at is null;
    if v_all ? 'model' and exists (
            select from uplift.model_deployments d where d.environment = 'production' and coalesce(d.coach_id, '') = p_coach_id and d.ended_at is null) then
        v_all := v_all - 'model';
    end if;
    return coalesce(v_all || v_own, v_all, v_own, '{}');
end
$$;

comment on function uplift.changes_in_production(text) is 'What rollouts changed for a coach: what is for all, but for the model where one is deployed for this coach, and over it what is for this one.';

create or replace function uplift.own_in_production(p_coach_id text) returns text[]
language plpgsql stable
as $$
begin
    return array(
        select jsonb_object_keys(c.changes) from uplift.production_changes c where coalesce(c.coach_id, '') = p_coach_id and c.ended_at is null
        union all
        select 'model' from uplift.model_deployments d where d.environment = 'production' and coalesce(d.coach_id, '') = p_coach_id and d.ended_at is null);
end
$$;

comment on function uplift.own_in_production(text) is 'What a coach has of its own, by name (severity, model, ...): what rollouts for this coach changed, and model where one is deployed for it. What is promoted for all coaches does not change these.';

create or replace function uplift.coaches_of_their_own(p_touches text[], p_targeting jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(k.id order by k.id), '[]') from uplift.coaches k
    where not coalesce(p_targeting, '{}') ? 'coaches' and uplift.own_in_production(k.id) && p_touches
$$;

comment on function uplift.coaches_of_their_own(text[], jsonb) is
    'The coaches on offer that keep something of their own of what is tried, or would be promoted, for all coaches: a list of ids; empty for what is for some coaches.';

create or replace function uplift.coaches_not_reached(p_coach_id text, p_touches text[]) returns text[]
language sql stable
as $$
    select array(select k.id from uplift.coaches k where p_coach_id is null and p_touches <> '{}' and p_touches <@ uplift.own_in_production(k.id))
$$;

comment on function uplift.coaches_not_reached(text, text[]) is
    'The coaches on offer that have all of what is tried for all coaches (p_coach_id null) of their own in production, so that it is not tried on them; none for what is tried on one coach.';

create or replace function uplift.change_production(p_coach_id text, p_changes jsonb, p_rollout_id uuid, p_previous_id bigint, p_who text, p_reason text) returns void
language plpgsql volatile
as $$
begin
    update uplift.production_changes c set ended_at = now(), ended_by = p_who, reason = p_reason
    where coalesce(c.coach_id, '') = coalesce(p_coach_id, '') and c.ended_at is null;
    if p_changes is not null then
        insert into uplift.production_changes (coach_id, changes, rollout_id, previous_id, began_by)
        values (p_coach_id, p_changes, p_rollout_id, p_previous_id, p_who);
    end if;
end
$$;

comment on function uplift.change_production(text, jsonb, uuid, bigint, text, text) is
    'Puts changes in the place of those of a coach (null: of all) from the next chat on, with those that they came after; null only ends them.';

create or replace function uplift.production_now(p_coach_id text) returns uplift.production_changes
language plpgsql volatile
as $$
declare
    v_now uplift.production_changes;
begin
    -- Whoever comes second must see what the first has made of it. The lock of deployments, which are changed along with it.
    perform pg_advisory_xact_lock(hashtextextended('uplift deployments', 0));
    select c.* into v_now from uplift.production_changes c
    where coalesce(c.coach_id, '') = coalesce(p_coach_id, '') and c.ended_at is null;
    return v_now;
end
$$;

comment on function uplift.production_now(text) is 'What holds of production_changes for a coach (null: for all) by itself; nulls for nothing. Nobody else changes it, or deploys models, until this transaction ends.';

create or replace function uplift.forget_production_model(p_coach_id text, p_who text) returns void
language plpgsql volatile
as $$
declare
    v_now uplift.production_changes := uplift.production_now(p_coach_id);
begin
    if v_now.changes ? 'model' then
        perform uplift.change_production(p_coach_id, v_now.changes - 'model', v_now.rollout_id, v_now.previous_id, p_who, 'another model was deployed');
    end if;
end
$$;

comment on function uplift.forget_production_model(text, text) is
    'Ends the model that a rollout named for a coach (null: for all), so that a model version which is deployed there serves; all else that it changed stays.';

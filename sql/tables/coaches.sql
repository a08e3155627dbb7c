-- Coaches and what users chose of them.
create table brand_assets (
    id uuid primary key default uplift.uuid_v7(),
    asset_name text not null,
    asset_type text,
    asset_url text,
    alt_text text,
    description text,
    usage_notes text,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);

create index on brand_assets (asset_name);

comment on table brand_assets is 'Coach personas (rows whose asset_name is a coach id) and other assets.';
comment on column brand_assets.asset_name is 'The coach id, for example coach_decibel_avatar.';
comment on column brand_assets.alt_text is 'The coach''s display name; description is one line about it for a picker.';
comment on column brand_assets.usage_notes is 'The personality, as it goes into the system prompt.';
comment on column brand_assets.is_active is 'False when the coach is no longer offered.';

create table user_coach_preferences (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null unique,
    active_coach_id text default 'coach_decibel_avatar',
    severity numeric(2, 1) default 3.0 check (severity between 1.0 and 6.0),
    active_coach_mode text default 'default',
    auto_select_coach boolean default false,
    quiet_hours_start time,
    quiet_hours_end time,
    timezone text,
    roast_consent boolean not null default false,
    training_consent boolean,
    training_consent_asked_at timestamptz,
    memory_enabled boolean not null default true,
    memory_since timestamptz,
    experiments_enabled boolean,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);

comment on table user_coach_preferences is 'What a user chose of coaches, one row a user.';
comment on column user_coach_preferences.active_coach_id is
    'Choice: active_coach_id, severity (1.0 to 6.0), active_coach_mode, auto_select_coach.';
comment on column user_coach_preferences.quiet_hours_start is 'Quiet hours: quiet_hours_start, quiet_hours_end, timezone.';
comment on column user_coach_preferences.roast_consent is 'True when the user agreed to be roasted; without it there is no roast mode.';
comment on column user_coach_preferences.training_consent is
    'Whether the user agreed that answers may train models; null without an answer, which means what the setting training.consent_default says.';
comment on column user_coach_preferences.memory_enabled is 'False when coaches are to remember nothing: nothing is learnt, and no memory goes into a prompt.';
comment on column user_coach_preferences.experiments_enabled is
    'False when the user takes part in no experiment and no rollout''s candidate; null without an answer, which means what the setting experiments.consent_default says.';
comment on column user_coach_preferences.memory_since is 'When it was last turned on again: what was said before is not learnt any more.';
comment on column user_coach_preferences.training_consent_asked_at is 'When the user was asked that, also where no answer came.';

create table user_traits (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    trait_key text not null,
    trait_value text,
    created_at timestamptz default now()
);

create index on user_traits (user_id, trait_key);

comment on table user_traits is 'Facts a user entered: diet_type, goal_primary and the like.';

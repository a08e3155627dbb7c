-- Keys that grow with time: new rows and their index entries lie together (RFC 9562, section 5.7).
create schema if not exists uplift;

create or replace function uplift.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    -- 48 bits of Unix milliseconds, then random bits; gen_random_uuid() says version 4, and two
    -- more bits make it 7.
    select encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::int8) from 3)
                from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

comment on function uplift.uuid_v7() is
    'A new UUID of version 7: milliseconds first, so keys made one after the other lie together.';

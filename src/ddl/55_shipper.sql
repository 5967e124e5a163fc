-- LogHub Shipper's conversions.

CREATE FUNCTION mc.to_int(base int, value text) RETURNS bigint
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mc_to_int';
COMMENT ON FUNCTION mc.to_int(int, text) IS
'the integer that a text is in a base of 2 to 36, letters in any case; NULL if it is none or does not fit (LogHub Shipper: ->int)';

CREATE FUNCTION mc.to_bool(value text) RETURNS boolean
LANGUAGE sql STRICT IMMUTABLE PARALLEL SAFE
RETURN CASE value WHEN 'true' THEN true WHEN 'false' THEN false END;
COMMENT ON FUNCTION mc.to_bool(text) IS
'true for exactly ''true'', false for exactly ''false'', else NULL (LogHub Shipper: ->bool)';

CREATE FUNCTION mc.crc32(value text) RETURNS bigint
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mc_crc32';
COMMENT ON FUNCTION mc.crc32(text) IS
'CRC-32 (IEEE) of a text in UTF-8, 0 to 4294967295 (LogHub Shipper: crc32)';
